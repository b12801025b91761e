// Derivatives of derivatives, in float64: by differences of gradients, and in every order of modes.
#include <algorithm>
#include <cmath>

#include "comparisons.h"

namespace hindsight::random_programs {
namespace {

/// Error of one order of modes against another.
constexpr double kRounding = 1e-8;

/// The gradient where the inputs are moved; what is frozen stays.
Tensors gradient_at(Subject& s, const Tensors& direction, double step) {
  const Moved moved(s.wide, direction, step);
  s.frozen.mode = Frozen::Mode::replay;
  s.frozen.next = 0;
  // Without checkpoints: what they compute again would read the frozen values again.
  return Recording(s.wide, {.checkpoints = false, .frozen = &s.frozen}).gradient();
}

/// The largest change of an element from `step` before to `step` after.
double change_of_gradient(Subject& s, const Tensors& direction, double step) {
  const Tensors after = gradient_at(s, direction, step), before = gradient_at(s, direction, -step);
  double change = 0;
  for (std::size_t i = 0; i < after.size(); ++i) {
    for (Size k = 0; k < after[i].elements(); ++k)
      change = std::max(change, std::abs(after[i].at(k) - before[i].at(k)));
  }
  return change;
}

std::string compare_with_differences(Subject& s, const Tensors& product, const Tensors& direction) {
  std::string wrong;
  for (const double step : {1e-5, 1e-6, 1e-4}) {
    const Tensors after = gradient_at(s, direction, step),
                  before = gradient_at(s, direction, -step);
    Tensors numeric;
    for (std::size_t i = 0; i < after.size(); ++i) {
      numeric.emplace_back(after[i].shape(), DType::f64);
      for (Size k = 0; k < after[i].elements(); ++k)
        numeric[i].set(k, (after[i].at(k) - before[i].at(k)) / (2 * step));
    }
    wrong = difference(s.wide, product, numeric, 2e-5);
    if (wrong.empty()) return "";
  }
  // Where the gradient jumps its change does not shrink with the step: there is no second
  // derivative.
  const double near = change_of_gradient(s, direction, 1e-7);
  if (near > 1e-6 && near > 0.5 * change_of_gradient(s, direction, 1e-5)) return "";
  return "Hessian product and differences of gradients: " + wrong;
}

Variable weighted_sum(const std::vector<Variable>& values, const Tensors& weights) {
  Variable result(Tensor::zeros({}, DType::f64));
  for (std::size_t i = 0; i < values.size(); ++i)
    result = result + sum(values[i] * Variable(weights[i]));
  return result;
}

}  // namespace

std::string hessian_products(Subject& s) {
  const Tensors direction = random_directions(s.wide, s.rng.bits());
  const std::vector<Variable> along = as_variables(direction);
  Recording recording(s.wide);
  Tape& tape = recording.tape();
  const std::vector<Variable>& inputs = recording.inputs();

  const std::vector<Variable> gradient = recording.recorded_gradient();
  const Tensors forward_over_reverse = copies(tape.tangent(gradient, inputs, along));
  const Tensors reverse_over_reverse =
      copies(tape.gradient(weighted_sum(gradient, direction), inputs));
  const Variable slope = tape.tangent({recording.loss()}, inputs, along, {.create_graph = true})[0];
  const Tensors reverse_over_forward = copies(tape.gradient(slope, inputs));
  const double forward_over_forward = tape.tangent({slope}, inputs, along)[0].item();

  std::string wrong = difference(s.wide, reverse_over_reverse, forward_over_reverse, kRounding);
  if (!wrong.empty()) return "reverse over reverse and forward over reverse: " + wrong;
  wrong = difference(s.wide, reverse_over_forward, forward_over_reverse, kRounding);
  if (!wrong.empty()) return "reverse over forward and forward over reverse: " + wrong;
  const Product curvature = dot(forward_over_reverse, direction);
  if (!(std::abs(forward_over_forward - curvature.sum) <=
        kRounding * std::max(0.01, curvature.magnitude))) {
    return fmt::format("forward over forward {:.12g} but {:.12g} is right", forward_over_forward,
                       curvature.sum);
  }
  return compare_with_differences(s, forward_over_reverse, direction);
}

// jvp and hessian_vector_product, with all leaves as inputs; parameters of networks stay.
std::string derivatives_in_one_call(Subject& s) {
  Tensors direction = random_directions(s.wide, s.rng.bits());
  const std::size_t leaves = s.wide.leaves();
  if (leaves == 0) return "";
  Tensors values;
  for (std::size_t i = 0; i < direction.size(); ++i) {
    if (i < leaves) {
      values.push_back(s.wide.value(i));
    } else {
      direction[i] = Tensor();
    }
  }
  const Tensors given(direction.begin(), direction.begin() + static_cast<std::ptrdiff_t>(leaves));
  const auto function = [&](Execution& execution) {
    return [&](const std::vector<Variable>& in) {
      std::vector<Variable> inputs = in;
      inputs.resize(s.wide.count());
      return execution.loss(inputs);
    };
  };
  Execution first(s.wide), second(s.wide);  // each draws the same random numbers
  const Product product = dot(s.wide_gradient, direction);
  const double pushed = jvp(function(first), values, given).tangent.item();
  if (!(std::abs(pushed - product.sum) <= 1e-9 * std::max(0.01, product.magnitude)))
    return fmt::format("jvp: {:.12g} but {:.12g} is right", pushed, product.sum);

  const Tensors products = hessian_vector_product(function(second), values, given);
  Recording recording(s.wide);
  Tensors wanted = copies(recording.tape().tangent(recording.recorded_gradient(),
                                                   recording.inputs(), as_variables(direction)));
  wanted.resize(leaves);
  const std::string wrong = difference(s.wide, products, wanted, kRounding);
  return wrong.empty() ? "" : "hessian_vector_product: " + wrong;
}

}  // namespace hindsight::random_programs
