// Reductions, running results, softmax and layer_norm.
#include <algorithm>

#include "chooser.h"
#include "operations.h"

namespace hindsight::random_programs {
namespace {

using In = const Call&;

KeepDims keep(In x) { return x.number(0) != 0 ? KeepDims::yes : KeepDims::no; }

Axes axes(In x) {
  Axes result;
  for (std::size_t i = 1; i < x.step.numbers.size(); ++i) result.push_back(x.axis(i));
  return result;
}

// Numbers: keep, axes (none: all).
bool choose_axes(Chooser& choose, Step& step) {
  if (!values(1)(choose, step)) return false;
  step.numbers = {choose.below(2)};
  const int rank = choose.rank(step.inputs[0]);
  for (int i = 0; i < rank; ++i) {
    if (choose.chance(0.45)) step.numbers.push_back(choose.chance(0.3) ? i - rank : i);
  }
  return true;
}

/// How far the largest (smallest) of the elements that become one is from the next.
double gap_below_largest(In x, double sign) {
  const Variable shifted = x[0] * sign;
  const Variable largest = broadcast_to(max(shifted, axes(x), KeepDims::yes), x[0].shape());
  const Variable distances = largest - shifted;
  // The largest has distance 0: the second smallest of each group counts.
  const Variable mask = equal(distances, 0);
  const Variable ones = sum(mask, axes(x), KeepDims::yes);
  if (above(Variable(-ones), -1.5) < 0) return 0;
  return above(Variable(distances + mask), 0);
}

bool choose_sum_to(Chooser& choose, Step& step) {
  if (!values(1)(choose, step)) return false;
  Shape shape = choose.shape(step.inputs[0]);
  for (int i = 0; i < shape.rank(); ++i) {
    if (choose.chance(0.5)) shape.set(i, 1);
  }
  while (shape.rank() > 0 && choose.chance(0.3)) shape.erase(0);
  for (int i = 0; i < shape.rank(); ++i) step.numbers.push_back(shape[i]);
  return true;
}

Variable run_sum_to(In x) {
  Shape shape;
  for (const Size size : x.step.numbers) shape.push_back(size);
  return sum_to(x[0], shape);
}

bool choose_decay(Chooser& choose, Step& step) {
  if (!value_and_axis()(choose, step)) return false;
  step.inputs.insert(step.inputs.begin(), choose.shaped(choose.shape(step.inputs[0])));
  step.numbers.push_back(choose.below(2));
  return step.inputs[0] >= 0;
}

bool choose_decay_and_initial(Chooser& choose, Step& step) {
  if (!choose_decay(choose, step)) return false;
  Shape shape = choose.shape(step.inputs[0]);
  const int axis = static_cast<int>(step.numbers[0]);
  shape.erase(axis < 0 ? axis + shape.rank() : axis);
  step.inputs.push_back(choose.shaped(shape));
  return step.inputs[2] >= 0;
}

Direction direction(In x) { return x.number(1) != 0 ? Direction::reverse : Direction::forward; }

bool choose_layer_norm(Chooser& choose, Step& step) {
  if (!value_of_rank(1)(choose, step)) return false;
  const Shape row{choose.shape(step.inputs[0]).back()};
  step.inputs.push_back(choose.shaped(row));
  step.inputs.push_back(choose.shaped(row));
  step.reals = {choose.chance(0.5) ? 0.1 : 0.01};
  return step.inputs[1] >= 0 && step.inputs[2] >= 0;
}

}  // namespace

const std::vector<Operation>& reducing_operations() {
  static const std::vector<Operation> kAll = {
      {"mean(%0)", values(1), [](In x) { return mean(x[0]); }},
      {"sum(%0, {#1...}, keep #0)", choose_axes, [](In x) { return sum(x[0], axes(x), keep(x)); }},
      {"mean(%0, {#1...}, keep #0)", choose_axes,
       [](In x) { return mean(x[0], axes(x), keep(x)); }},
      {"var(%0, {#1...}, keep #0)", choose_axes, [](In x) { return var(x[0], axes(x), keep(x)); }},
      {"max(%0, {#1...}, keep #0)", choose_axes, [](In x) { return max(x[0], axes(x), keep(x)); },
       [](In x) { return gap_below_largest(x, 1); }},
      {"min(%0, {#1...}, keep #0)", choose_axes, [](In x) { return min(x[0], axes(x), keep(x)); },
       [](In x) { return gap_below_largest(x, -1); }},
      {"prod(%0, {#1...}, keep #0)", choose_axes,
       [](In x) { return prod(x[0], axes(x), keep(x)); }},
      {"norm(%0, {#1...}, keep #0)", choose_axes, [](In x) { return norm(x[0], axes(x), keep(x)); },
       [](In x) { return above(norm(x[0], axes(x)), 0.1); }},
      {"logsumexp(%0, {#1...}, keep #0)", choose_axes,
       [](In x) { return logsumexp(x[0], axes(x), keep(x)); }},
      {"sum_to(%0, {#*})", choose_sum_to, run_sum_to},
      {"softmax(%0, #0)", value_and_axis(), [](In x) { return softmax(x[0], x.axis(0)); }},
      {"log_softmax(%0, #0)", value_and_axis(), [](In x) { return log_softmax(x[0], x.axis(0)); }},
      {"layer_norm(%0, %1, %2, {.epsilon = $0})", choose_layer_norm,
       [](In x) { return layer_norm(x[0], x[1], x[2], {.epsilon = x.real(0)}); }},
      {"cumsum(%0, #0)", value_and_axis(), [](In x) { return cumsum(x[0], x.axis(0)); }},
      {"logcumsumexp(%0, #0)", value_and_axis(),
       [](In x) { return logcumsumexp(x[0], x.axis(0)); }},
      {"linear_recurrence(%0, %1, #0, reverse #1)", choose_decay,
       [](In x) { return linear_recurrence(x[0], x[1], x.axis(0), direction(x)); }},
      {"linear_recurrence(%0, %1, #0, %2, reverse #1)", choose_decay_and_initial,
       [](In x) { return linear_recurrence(x[0], x[1], x.axis(0), x[2], direction(x)); }},
  };
  return kAll;
}

const Operation& mean_operation() { return reducing_operations().front(); }

}  // namespace hindsight::random_programs
