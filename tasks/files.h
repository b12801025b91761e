#pragma once
#include <cstdio>
#include <string>

/// Files given on a command line. A FileError names the file and what is wrong with it.
namespace hindsight::tasks {

/// The whole file. FileError for folders and files above 2 GiB.
std::string read_file(const std::string& path);

/// True when both name the same existing file.
bool same_file(const std::string& a, const std::string& b);

/// A text file that grows by whole lines, so that it never ends within one.
class LineFile {
 public:
  /// Replaces the file's content by the line `header`.
  LineFile(const std::string& path, const std::string& header);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  void append(const std::string& line);

 private:
  explicit LineFile(const std::string& path);  // delegated to, so that the destructor closes it

  std::string path_;
  int descriptor_;
};

}  // namespace hindsight::tasks
