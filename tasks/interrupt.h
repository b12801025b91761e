#pragma once
#include <csignal>

namespace hindsight::tasks {

/// While alive, Ctrl-C (SIGINT) and SIGTERM are noted instead of ending the program. A second one
/// ends it at once.
class Interrupt {
 public:
  static constexpr int kStatus =
      130;  ///< what the program then exits with, as shells do for SIGINT

  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool came() const;

 private:
  struct sigaction outer_int_, outer_term_;
};

}  // namespace hindsight::tasks
