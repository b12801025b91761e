#pragma once
#include "measure.h"

/// What the comparisons are made of. Each returns what is wrong, or nothing.
namespace hindsight::random_programs {

/// A program in float64 and in its own type, with its gradients, which all comparisons share.
struct Subject {
  explicit Subject(const Program& p);

  /// Error that rounding may cause where the same is computed in another order.
  double rounding() const { return program.dtype == DType::f32 ? 3e-4 : 1e-9; }
  /// The loss in float64, with what is frozen.
  double wide_loss(Frozen::Mode mode = Frozen::Mode::replay, RunOptions options = {});

  const Program& program;
  Instance wide, own;
  Tensors wide_gradient, own_gradient;
  Frozen frozen;
  Rng rng;
};

/// Compares a slope with central differences, which `loss_at` computes from: the loss after a step.
/// Which step suits depends on the program; a wrong derivative fits none of them.
std::string compare_slope(const std::function<double(double step)>& loss_at, const Product& slope);

// By differences, in float64.
std::string differences_along_directions(Subject& s);
std::string differences_of_elements(Subject& s);
std::string gradient_of_value_within(Subject& s);
std::string tangent_with_hooks(Subject& s);

// The same gradient in another way.
std::string tangent(Subject& s);
std::string backward(Subject& s);
std::string without_checkpoints(Subject& s);
std::string asked_twice(Subject& s);
std::string recorded_again(Subject& s);
std::string one_input_alone(Subject& s);
std::string several_outputs(Subject& s);
std::string recorded_sweep(Subject& s);
std::string under_finite_checks(Subject& s);
std::string under_profile(Subject& s);
std::string float32_like_float64(Subject& s);
std::string failing_memory(Subject& s);

// Second order, in float64.
std::string hessian_products(Subject& s);
std::string derivatives_in_one_call(Subject& s);

}  // namespace hindsight::random_programs
