#include "progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>

namespace hindsight::tasks {
namespace {

constexpr auto kRefresh = std::chrono::milliseconds(100);
constexpr auto kPlainLine = std::chrono::seconds(10);

std::size_t terminal_width() {
  struct winsize size {};
  return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

std::string duration(double seconds) {
  const auto whole = static_cast<long long>(std::lround(std::fmax(0, seconds)));
  const long long hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return fmt::format("{}:{:02}:{:02}", hours, minutes, whole % 60);
  return fmt::format("{}:{:02}", minutes, whole % 60);
}

std::string short_count(double count) {
  if (count < 999.5) return fmt::format("{:.0f}", count);
  if (count < 9950) return fmt::format("{:.1f}k", count / 1e3);
  if (count < 999500) return fmt::format("{:.0f}k", count / 1e3);
  return fmt::format("{:.1f}M", count / 1e6);
}

Progress::Progress()
    : terminal_(isatty(STDOUT_FILENO) == 1),
      next_(Clock::now() + (terminal_ ? Clock::duration(0) : kPlainLine)) {}

Progress::~Progress() { erase(); }

bool Progress::due() const { return Clock::now() >= next_; }

void Progress::show(const std::string& line) {
  next_ = Clock::now() + (terminal_ ? Clock::duration(kRefresh) : Clock::duration(kPlainLine));
  if (!terminal_) return print(line);
  fmt::print("\r{}\033[K", line.substr(0, terminal_width() - 1));
  std::fflush(stdout);
  shown_ = true;
}

void Progress::print(const std::string& line) {
  erase();
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

void Progress::erase() {
  if (!shown_) return;
  fmt::print("\r\033[K");
  std::fflush(stdout);
  shown_ = false;
}

}  // namespace hindsight::tasks
