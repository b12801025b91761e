#pragma once
#include <csignal>

namespace hindsight::tasks {

/// While active, a first Ctrl-C (SIGINT) or SIGTERM is noted instead of ending the program; a
/// second one ends it at once.
class Interrupt {
 public:
  /// The exit status of an interrupted program, as shells set it for SIGINT.
  static constexpr int kStatus = 130;

  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool came() const;  ///< whether a signal has been noted

 private:
  struct sigaction outer_int_, outer_term_;
};

}  // namespace hindsight::tasks
