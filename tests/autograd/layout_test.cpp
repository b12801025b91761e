// The folders of autograd are ordered, and each includes only those before it.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "support.h"

namespace hindsight::test {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kOrder{"tensor",      "tape",    "elementwise", "ops",
                                      "derivatives", "inspect", "gradcheck"};
// These two do not know each other, and looking at a tape needs no operations.
const std::vector<std::string> kOfInspect{"tensor", "tape", "inspect"};

const std::vector<std::string>& allowed_in(const std::string& folder) {
  return folder == "inspect" ? kOfInspect : kOrder;
}

/// The message about an include line of a file in `folder`; empty if it is allowed.
std::string complaint(const std::string& folder, const std::string& file, const std::string& line) {
  static const std::regex include(
      R"re(\s*#\s*include\s*[<"](?:hindsight/)?autograd/(?:(\w+)/)?(\w+\.\w+)[>"].*)re");
  static const std::regex beside(R"re(\s*#\s*include\s*"([^"]+)".*)re");
  std::smatch found;
  const std::string who = "autograd/" + folder + "/" + file;
  if (!std::regex_match(line, found, include)) {
    if (!std::regex_match(line, found, beside)) return "";
    return fmt::format("{} includes \"{}\": say the whole path, as in <hindsight/autograd/...>",
                       who, found[1].str());
  }
  const std::string to = found[1];
  const auto place = [](const std::string& name) {
    return std::find(kOrder.begin(), kOrder.end(), name);
  };
  const std::vector<std::string>& allowed = allowed_in(folder);
  const bool known = std::find(allowed.begin(), allowed.end(), to) != allowed.end();
  if (known && place(to) <= place(folder)) return "";
  return fmt::format(
      "{} includes {}: a folder includes only itself and those before it in the order {}{}", who,
      found[0].str(), fmt::join(kOrder, ", "),
      folder == "inspect" ? ", and inspect only tensor and tape" : "");
}

TEST_CASE("an include that goes up the order is found") {
  const std::string up = complaint("tape", "tape.h", "#include <hindsight/autograd/ops/apply.h>");
  CHECK(
      up ==
      "autograd/tape/tape.h includes #include <hindsight/autograd/ops/apply.h>: a folder includes "
      "only itself and those before it in the order tensor, tape, elementwise, ops, derivatives, "
      "inspect, gradcheck");
  CHECK(complaint("ops", "sum.h", "#include <hindsight/autograd/tape/tape.h>").empty());
  CHECK(complaint("ops", "sum.h", "#include <hindsight/autograd/ops/apply.h>").empty());
  CHECK(complaint("ops", "sum.h", "#include <vector>").empty());
  CHECK(!complaint("ops", "sum.h", "#include <hindsight/autograd/autograd.h>").empty());
  CHECK(!complaint("ops", "sum.h", "#include \"apply.h\"").empty());
  CHECK(!complaint("inspect", "a.h", "#include <hindsight/autograd/ops/apply.h>").empty());
  CHECK(!complaint("derivatives", "a.h", "  # include \"autograd/inspect/trace.h\"").empty());
}

TEST_CASE("every folder includes only those before it") {
  const fs::path root = fs::path(HINDSIGHT_SOURCE_DIR) / "autograd";
  int files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const fs::path path = entry.path();
    if (path.extension() != ".h" && path.extension() != ".cpp") continue;
    const std::string folder = fs::relative(path.parent_path(), root).string();
    if (folder == ".") {
      CHECK(path.filename() == "autograd.h");  // the one header outside of the folders
      continue;
    }
    ++files;
    CHECK(std::find(kOrder.begin(), kOrder.end(), folder) != kOrder.end());
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);)
      CHECK(complaint(folder, path.filename().string(), line) == "");
  }
  CHECK(files > 90);
}

}  // namespace
}  // namespace hindsight::test
