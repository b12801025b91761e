#pragma once
#include <chrono>
#include <string>

namespace hindsight::tasks {

/// "0:42", "12:05" or "1:02:03".
std::string duration(double seconds);

/// "812", "9.4k", "106k" or "1.2M".
std::string short_count(double count);

/// Shows the progress of a long job on standard output: on a terminal one line that changes,
/// otherwise a plain line every 10 seconds.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// True if it is time for a new line; lets callers skip formatting and show() otherwise.
  bool due() const;
  /// Prints a line of progress, which the next one replaces on a terminal.
  void show(const std::string& line);
  /// Prints a line that stays.
  void print(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  void erase();

  bool terminal_;
  bool shown_ = false;
  Clock::time_point next_;
};

}  // namespace hindsight::tasks
