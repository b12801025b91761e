#include "source_text.h"

#include <hindsight/autograd/tensor/error.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "files.h"

namespace hindsight::tasks {
namespace {

namespace fs = std::filesystem;

constexpr std::array kFolders = {"autograd", "nn", "optim", "tasks", "tests", "docs"};

bool is_text(const fs::directory_entry& entry) {
  const std::string extension = entry.path().extension();
  return entry.is_regular_file() && !entry.is_symlink() &&
         (extension == ".h" || extension == ".cpp" || extension == ".md");
}

}  // namespace

SourceText gather_source_text() {
  const fs::path root = HINDSIGHT_SOURCE_DIR;
  std::vector<fs::path> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(root, error)) {
    if (is_text(entry)) paths.push_back(entry.path());
  }
  for (const char* folder : kFolders) {
    for (const auto& entry : fs::recursive_directory_iterator(root / folder, error)) {
      if (is_text(entry)) paths.push_back(entry.path());
    }
  }
  if (paths.empty()) {
    fail<FileError>("the project's source text is no longer in {}; give another with --text",
                    root.string());
  }
  std::sort(paths.begin(), paths.end(), [](const fs::path& a, const fs::path& b) {
    return std::pair(a.filename(), a) < std::pair(b.filename(), b);
  });
  SourceText result;
  for (const fs::path& path : paths) result.text += read_file(path);
  result.files = static_cast<int>(paths.size());
  return result;
}

}  // namespace hindsight::tasks
