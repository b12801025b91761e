#pragma once
#include <cstdio>
#include <string>

/// Files that people name on a command line. FileError says which and what is wrong with it.
namespace hindsight::tasks {

/// The whole file. Refuses folders and files above 2 GiB.
std::string read_file(const std::string& path);

/// True when both name the same existing file.
bool same_file(const std::string& a, const std::string& b);

/// A text file that grows by whole lines, so that it is complete at any time.
class LineFile {
 public:
  /// Starts the file anew with `header`.
  LineFile(const std::string& path, const std::string& header);
  ~LineFile();
  LineFile(const LineFile&) = delete;
  LineFile& operator=(const LineFile&) = delete;

  void append(const std::string& line);

 private:
  explicit LineFile(const std::string& path);  // so that a failing header closes the file

  std::string path_;
  int descriptor_;
};

}  // namespace hindsight::tasks
