#include <hindsight/autograd/finite.h>

#include <cmath>

namespace hindsight {
namespace {
thread_local bool checking = false;
}

FiniteChecks::FiniteChecks() : outer_(checking) { checking = true; }
FiniteChecks::~FiniteChecks() { checking = outer_; }

bool finite_checks() { return checking; }

void check_finite(const char* op, const Variable& output) {
  const Tensor values = output.value();
  if (all_finite(values)) return;
  for (Size i = 0; i < values.elements(); ++i) {
    const double value = values.at(i);
    if (!std::isfinite(value)) {
      fail<NonFiniteError>("{}: produced {} at position {} of its output of shape {}", op, value, i,
                           output.shape());
    }
  }
}

}  // namespace hindsight
