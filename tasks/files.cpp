#include "files.h"

#include <fcntl.h>
#include <hindsight/autograd/tensor/error.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

namespace hindsight::tasks {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 31;  // the size of an axis has 31 bits

const char* reason() { return std::strerror(errno); }

}  // namespace

std::string read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  if (!file) fail<FileError>("cannot read '{}': {}", path, reason());
  std::string text;
  char block[1 << 16];
  while (const std::size_t count = std::fread(block, 1, sizeof block, file.get())) {
    text.append(block, count);
    if (text.size() > kMostBytes)
      fail<FileError>("cannot read '{}': it is larger than 2 GiB", path);
  }
  if (std::ferror(file.get())) fail<FileError>("cannot read '{}': {}", path, reason());
  return text;
}

bool same_file(const std::string& a, const std::string& b) {
  std::error_code missing;
  return std::filesystem::equivalent(a, b, missing) ||
         std::filesystem::weakly_canonical(a, missing) ==
             std::filesystem::weakly_canonical(b, missing);
}

LineFile::LineFile(const std::string& path)
    : path_(path),
      descriptor_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail<FileError>("cannot write '{}': {}", path, reason());
}

LineFile::LineFile(const std::string& path, const std::string& header) : LineFile(path) {
  append(header);
}

LineFile::~LineFile() { close(descriptor_); }

void LineFile::append(const std::string& line) {
  const std::string whole = line + "\n";
  const off_t size = lseek(descriptor_, 0, SEEK_END);
  const ssize_t written = write(descriptor_, whole.data(), whole.size());
  if (written == static_cast<ssize_t>(whole.size())) return;
  std::string why = written < 0 ? reason() : "no space left";
  if (written > 0 && ftruncate(descriptor_, size) != 0) why += "; its last line is cut off";
  fail<FileError>("cannot write '{}': {}", path_, why);
}

}  // namespace hindsight::tasks
