#pragma once
#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern char** environ;

/// Files and programs in a test: a folder of its own, and build/tasks/hindsight run in it.
namespace hindsight::test {

inline std::string bytes_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// While active, no file grows above `bytes`, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    REQUIRE(getrlimit(RLIMIT_FSIZE, &old_limit_) == 0);
    const rlimit limit{bytes, old_limit_.rlim_max};
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_limit_);
    std::signal(SIGXFSZ, old_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  void (*old_handler_)(int);
  rlimit old_limit_{};
};

struct Outcome {
  int status;
  std::string out, err;
};

/// A new folder in which programs run; the destructor removes it with everything in it.
class Workplace {
 public:
  Workplace() {
    std::string name = (std::filesystem::temp_directory_path() / "hindsight-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Workplace() { std::filesystem::remove_all(path_); }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  std::string path(const std::string& name) const { return (path_ / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    // A file truncated and written again is flushed to the disk by some systems.
    std::filesystem::remove(path(name));
    std::ofstream(path(name), std::ios::binary) << text;
  }
  std::string read(const std::string& name) const { return bytes_of_file(path(name)); }
  bool has(const std::string& name) const { return std::filesystem::exists(path(name)); }
  long entries() const { return std::distance(std::filesystem::directory_iterator(path_), {}); }

  /// Starts a program; file names among the arguments are those of this folder.
  pid_t start_program(const std::string& program, const std::vector<std::string>& arguments,
                      const std::string& out = "") const {
    std::vector<std::string> words = {"sh", "-c", "cd \"$0\" && exec \"$@\"", path_.string(),
                                      program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO,
                                     (out.empty() ? path(".out") : out).c_str(), flags, 0600);
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, path(".err").c_str(), flags, 0600);
    pid_t process = 0;
    REQUIRE(posix_spawn(&process, "/bin/sh", &files, nullptr, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&files);
    return process;
  }
  Outcome finish(pid_t process) const {
    int status = 0;
    REQUIRE(waitpid(process, &status, 0) == process);
    const Outcome outcome{WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), read(".out"),
                          read(".err")};
    std::filesystem::remove(path(".out"));
    std::filesystem::remove(path(".err"));
    return outcome;
  }
  pid_t start(const std::vector<std::string>& arguments, const std::string& out = "") const {
    return start_program(HINDSIGHT_PROGRAM, arguments, out);
  }
  Outcome run(const std::vector<std::string>& arguments, const std::string& out = "") const {
    return finish(start(arguments, out));
  }

 private:
  std::filesystem::path path_;
};

}  // namespace hindsight::test
