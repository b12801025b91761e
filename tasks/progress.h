#pragma once
#include <chrono>
#include <string>

namespace hindsight::tasks {

/// "0:42", "12:05" or "1:02:03".
std::string duration(double seconds);

/// "812", "9.4k", "106k" or "1.2M".
std::string short_count(double count);

/// Says how a long job goes, on standard output: one line that changes on a terminal, plain lines
/// now and then elsewhere.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// True when a line shown now would appear: so that nobody makes lines that do not.
  bool due() const;
  void show(const std::string& line);
  /// A line that stays.
  void print(const std::string& line);

 private:
  using Clock = std::chrono::steady_clock;
  void erase();

  bool terminal_;
  bool shown_ = false;
  Clock::time_point next_;
};

}  // namespace hindsight::tasks
