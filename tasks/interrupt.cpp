#include "interrupt.h"

namespace hindsight::tasks {
namespace {

volatile std::sig_atomic_t signalled = 0;

void note(int) { signalled = 1; }

}  // namespace

Interrupt::Interrupt() {
  signalled = 0;
  struct sigaction action {};
  action.sa_handler = note;
  // SA_RESETHAND: a second signal has its default effect.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  sigaction(SIGINT, &action, &outer_int_);
  sigaction(SIGTERM, &action, &outer_term_);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &outer_int_, nullptr);
  sigaction(SIGTERM, &outer_term_, nullptr);
}

bool Interrupt::came() const { return signalled != 0; }

}  // namespace hindsight::tasks
