// Gradients and tangents against central differences in float64.
#include <cmath>

#include "comparisons.h"

namespace hindsight::random_programs {
namespace {

/// Direction i alone.
Tensors only(const Tensors& all, std::size_t i) {
  Tensors result(all.size());
  result[i] = all[i];
  return result;
}

std::string compare_along(Subject& s, const Tensors& direction, const Product& slope,
                          Frozen::Mode mode = Frozen::Mode::replay) {
  const auto loss_at = [&](double step) {
    const Moved moved(s.wide, direction, step);
    return s.wide_loss(mode);
  };
  return compare_slope(loss_at, slope);
}

/// The first value that a step of the program computes on its own, with its gradient.
struct ValueWithin {
  const Step* step = nullptr;
  Tensor gradient;
  std::string wrong;  ///< of the inputs' gradients, asked for together with it
};

// A view's gradient is part of the whole's, with all that reaches this: left out.
ValueWithin choose_value(Subject& s) {
  if (s.program.steps.empty()) return {};
  const auto steps = static_cast<Size>(s.program.steps.size());
  const Step& step = s.program.steps[static_cast<std::size_t>(s.rng.below(steps))];
  if (step.kind != Step::Kind::operation) return {};
  Variable value;
  std::vector<Variable> before;
  RunOptions options;
  options.pass = [&](const Variable& v, const Step& at) {
    if (&at == &step) {
      value = v;
    } else if (!value) {
      before.push_back(v);
    }
    return v;
  };
  Recording recording(s.wide, options);
  std::vector<Variable> asked = recording.inputs();
  before.insert(before.end(), asked.begin(), asked.end());
  for (const Variable& other : before) {
    if (other.node() == value.node()) return {};
  }
  if (!value.recorded() || value.shape().elements() == 0) return {};
  asked.push_back(value);
  Tensors gradients = copies(recording.tape().gradient(recording.loss(), asked));
  const Tensor gradient = gradients.back();
  gradients.pop_back();
  return {&step, gradient, difference(s.wide, gradients, s.wide_gradient, 1e-9)};
}

}  // namespace

std::string compare_slope(const std::function<double(double step)>& loss_at, const Product& slope) {
  double nearest = INFINITY;
  for (const double step : {1e-5, 1e-6, 1e-4, 1e-7}) {
    const double numeric = (loss_at(step) - loss_at(-step)) / (2 * step);
    const double error = std::abs(numeric - slope.sum);
    if (error <= 1e-6 * slope.magnitude + 1e-12 / step) return "";
    if (!(error >= std::abs(nearest - slope.sum))) nearest = numeric;
  }
  // At a jump, of floor say, the change does not shrink with the step: there is no derivative.
  const double near = std::abs(loss_at(1e-7) - loss_at(-1e-7));
  const double far = std::abs(loss_at(1e-5) - loss_at(-1e-5));
  if (near > 0.5 * far && near > 1e-6 * slope.magnitude) return "";
  return fmt::format("{:.12g} but differences give {:.12g}", slope.sum, nearest);
}

std::string differences_along_directions(Subject& s) {
  const Tensors all = random_directions(s.wide, s.rng.bits());
  for (std::size_t i = 0; i <= all.size(); ++i) {
    if (i < all.size() && all[i].elements() == 0) continue;
    const Tensors direction = i < all.size() ? only(all, i) : all;
    const std::string wrong = compare_along(s, direction, dot(s.wide_gradient, direction));
    if (!wrong.empty())
      return fmt::format("along {}: {}", i < all.size() ? s.wide.name(i) : "all inputs", wrong);
  }
  return "";
}

std::string differences_of_elements(Subject& s) {
  constexpr int kElements = 4;
  for (int n = 0; n < kElements && s.wide.count() > 0; ++n) {
    const auto i = static_cast<std::size_t>(s.rng.below(static_cast<Size>(s.wide.count())));
    const Tensor& gradient = s.wide_gradient[i];
    if (gradient.elements() == 0) continue;
    const Size k = s.rng.below(gradient.elements());
    Tensors direction(s.wide.count());
    direction[i] = Tensor::zeros(gradient.shape(), DType::f64);
    direction[i].set(k, 1);
    const std::string wrong = compare_along(s, direction, dot(s.wide_gradient, direction));
    if (!wrong.empty())
      return fmt::format("{}{}: {}", s.wide.name(i), index_text(k, gradient.shape()), wrong);
  }
  return "";
}

// Forward mode does not see hooks that change the gradient.
std::string tangent_with_hooks(Subject& s) {
  const Tensors direction = random_directions(s.wide, s.rng.bits());
  const double pushed = Recording(s.wide).tangent(direction);
  return compare_along(s, direction, {pushed, std::max(0.01, std::abs(pushed))},
                       Frozen::Mode::replay_stops);
}

std::string gradient_of_value_within(Subject& s) {
  const ValueWithin chosen = choose_value(s);
  if (!chosen.step || !chosen.wrong.empty()) return chosen.wrong;
  const Tensor along = random_values(chosen.gradient.shape(), DType::f64, s.rng.bits());
  const auto loss_at = [&](double step) {
    RunOptions moved;
    moved.pass = [&](const Variable& v, const Step& at) -> Variable {
      if (&at != chosen.step) return v;
      return v + Variable(along) * step;
    };
    return s.wide_loss(Frozen::Mode::replay, moved);
  };
  const std::string wrong = compare_slope(loss_at, dot({chosen.gradient}, {along}));
  return wrong.empty() ? "" : fmt::format("of v{}: {}", chosen.step->outputs[0], wrong);
}

}  // namespace hindsight::random_programs
