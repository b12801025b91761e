#include <hindsight/nn/clockwork.h>

#include <numeric>

namespace hindsight::nn {
namespace {

constexpr Size kLongestCycle = 1 << 24;  // float32 counts exactly up to it

/// The least common multiple of the periods, which are checked.
Size cycle_of(const std::vector<Size>& periods, Size hidden) {
  const auto modules = static_cast<Size>(periods.size());
  if (modules == 0 || hidden % modules != 0) {
    fail<OptionError>("ClockworkCell: {} periods; a number that divides hidden {} is needed",
                      modules, hidden);
  }
  Size last = 0, cycle = 1;
  for (Size period : periods) {
    if (period <= last)
      fail<OptionError>("ClockworkCell: period {} after {}; a larger one is needed", period, last);
    last = period;
    if (period <= kLongestCycle) cycle = std::lcm(cycle, period);
    if (period > kLongestCycle || cycle > kLongestCycle) {
      fail<OptionError>(
          "ClockworkCell: period {} makes a cycle of more than {} steps, the most that can be "
          "counted",
          period, kLongestCycle);
    }
  }
  return cycle;
}

/// Clears what units would read from faster modules, of `width` units each.
void clear_below_blocks(const Tensor& weight, Size width) {
  const Size hidden = weight.size(0);
  for (Size row = 0; row < hidden; ++row) {
    for (Size column = 0; column < row / width * width; ++column)
      weight.set(row * hidden + column, 0);
  }
}

/// The rows whose time step is a multiple of a period.
struct Turns {
  Tensor mask;  ///< (B, 1), 1 or 0
  Size rows = 0;
};

Turns turns_of(const Tensor& t, Size period) {
  Turns turns{Tensor(t.shape(), t.dtype())};
  for (Size row = 0; row < t.elements(); ++row) {
    const bool now = std::lround(t.at(row)) % period == 0;
    turns.mask.set(row, now);
    turns.rows += now;
  }
  return turns;
}

Tensor next_time(const Tensor& t, Size cycle) {
  const Tensor next(t.shape(), t.dtype());
  for (Size row = 0; row < t.elements(); ++row)
    next.set(row, static_cast<double>((std::lround(t.at(row)) + 1) % cycle));
  return next;
}

}  // namespace

ClockworkCell::ClockworkCell(Size input, Size hidden, Rng& rng, const ClockworkOptions& options)
    : GatedCell({1, input, hidden, hidden, options.bias}, rng),
      hidden_(hidden),
      periods_(options.periods),
      cycle_(cycle_of(periods_, hidden)) {
  clear_below_blocks(weight_hh.value(), hidden_ / static_cast<Size>(periods_.size()));
}

State ClockworkCell::step(const Variable& px, const State& state) const {
  const Variable &h = state[0], &read = state.recurrent();
  const Tensor t = state[1].value();
  const Size width = hidden_ / static_cast<Size>(periods_.size());
  std::vector<Variable> modules;
  for (Size period : periods_) {
    const Size first = static_cast<Size>(modules.size()) * width, rest = hidden_ - first;
    modules.push_back(slice(h, 1, first, width));
    const Turns turns = turns_of(t, period);
    if (turns.rows == 0) continue;
    const Variable weight = slice(slice(weight_hh, 0, first, width), 1, first, rest);
    const auto updated =
        tanh(slice(px, 1, first, width) + matmul(slice(read, 1, first, rest), transpose(weight)));
    modules.back() = turns.rows == t.elements()
                         ? Variable(updated)
                         : where(Variable(turns.mask), updated, modules.back());
  }
  return {concat(modules, 1), next_time(t, cycle_)};
}

}  // namespace hindsight::nn
