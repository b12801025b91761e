#include <hindsight/nn/mode.h>

namespace hindsight::nn {
namespace {
thread_local bool is_training = true;
}

Evaluation::Evaluation() : outer_(is_training) { is_training = false; }
Evaluation::~Evaluation() { is_training = outer_; }

bool training() { return is_training; }

}  // namespace hindsight::nn
