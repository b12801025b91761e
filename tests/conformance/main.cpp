/// conformance DIR: runs every reference case (*.safetensors) of a folder. Prints a line for each
/// that fails or is skipped, and how many passed, failed and were skipped. Status 1 when one fails
/// or none passes.
#include <algorithm>
#include <cstdio>
#include <map>

#include "case.h"

namespace hindsight::conformance {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, void (*)(Case&)> kKinds = {
    {"unary", run_operation},     {"binary", run_operation}, {"reduce", run_operation},
    {"matmul", run_operation},    {"shape", run_operation},  {"normalize", run_operation},
    {"loss", run_operation},      {"clip", run_clip},        {"recurrent", run_recurrent},
    {"optimizer", run_optimizer}, {"training", run_training}};

/// The message about what is wrong with the case, or ""; throws Skip if it cannot be run.
std::string difference_of(const fs::path& path) {
  Case c(path);
  const auto kind = kKinds.find(c.kind());
  if (kind == kKinds.end()) throw Skip{"kind " + c.kind()};
  kind->second(c);
  if (c.difference().empty()) c.finish();
  return c.difference();
}

struct Counts {
  int passed = 0, failed = 0, skipped = 0;
};

void run_case(const fs::path& path, Counts* counts) {
  const std::string name = path.stem().string();
  std::string difference;
  try {
    difference = difference_of(path);
  } catch (const Skip& skip) {
    ++counts->skipped;
    fmt::print("skipped {}: {}\n", name, skip.what);
    return;
  } catch (const std::exception& error) {
    difference = error.what();
  }
  ++(difference.empty() ? counts->passed : counts->failed);
  if (!difference.empty()) fmt::print("failed {}: {}\n", name, difference);
}

int run_folder(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Counts counts;
  for (const fs::path& file : files) run_case(file, &counts);
  std::fflush(stdout);
  if (files.empty()) {
    fmt::print(stderr, "conformance: no *.safetensors cases in '{}'{}{}\n", folder.string(),
               error ? ": " : "", error ? error.message() : "");
  } else if (counts.passed + counts.failed == 0) {
    fmt::print(stderr, "conformance: no case of '{}' passed\n", folder.string());
  }
  fmt::print("{} passed, {} failed, {} skipped\n", counts.passed, counts.failed, counts.skipped);
  return counts.failed > 0 || counts.passed == 0 ? 1 : 0;
}

}  // namespace
}  // namespace hindsight::conformance

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "usage: conformance DIR\n");
    return 1;
  }
  return hindsight::conformance::run_folder(argv[1]);
}
