#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/scan.h>
#include <hindsight/nn/linear_cell.h>

namespace hindsight::nn {

State LinearCell::step(const Variable& px, const State& state) const {
  const Coefficients c = coefficients(px, state);
  State next = state;
  next[0] = c.decay * state[0] + c.drive;
  return next;
}

State LinearCell::scan(const Variable& px, const State& initial) const {
  const Coefficients c = coefficients(px, initial);
  State all = initial;
  all[0] = linear_recurrence(c.decay, c.drive, 0, initial[0]);
  return all;
}

}  // namespace hindsight::nn
