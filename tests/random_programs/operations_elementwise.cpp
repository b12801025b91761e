// Elementwise functions and fused expressions. Every expression is compiled for both element types,
// both directions and tangents, so these few hold all functions, several to an expression.
#include "chooser.h"
#include "operations.h"

namespace hindsight::random_programs {
namespace {

/// x^3 + x y, a function of the user's own.
struct Mixed {
  static constexpr const char* kName = "mixed";
  template <class A, class B>
  auto value(const A& a, const B& b) const {
    return a * a * a + a * b;
  }
  template <class A, class B, class Y>
  auto by_left(const A& a, const B& b, const Y&) const {
    return 3 * a * a + b;
  }
  template <class A, class B, class Y>
  A by_right(const A& a, const B&, const Y&) const {
    return a;
  }
};

using In = const Call&;

/// Distance of x to a kink at each of some numbers.
auto kinks(std::vector<double> at) {
  return [at](In x) { return distance(x[0], at); };
}
double between_both(In x) { return distance(x[0], x[1]); }
/// The first value is above a number, for logarithms and the like.
auto first_above(double low) {
  return [low](In x) { return above(x[0], low); };
}

bool rows_of(Chooser& choose, Step& step, Size parts) {
  if (!values(2)(choose, step)) return false;
  Shape shape = choose.shape(step.inputs[0]);
  if (shape.rank() == 0 || shape.back() == 0) return false;
  return broadcasts_to(choose.shape(step.inputs[1]), shape) && shape.back() % parts == 0;
}
auto divisible_by(Size parts) {
  return [parts](Chooser& choose, Step& step) { return rows_of(choose, step, parts); };
}

std::vector<Operation> of_one() {
  return {
      {"tanh(%0)", values(1), [](In x) { return tanh(x[0]); }},
      {"sigmoid(%0) - 0.3", values(1), [](In x) { return sigmoid(x[0]) - 0.3; }},
      {"exp(%0)", values(1), [](In x) { return exp(x[0]); },
       [](In x) { return above(Variable(-x[0]), -2); }},
      {"log(%0)", values(1), [](In x) { return log(x[0]); }, first_above(0.25)},
      {"sqrt(%0)", values(1), [](In x) { return sqrt(x[0]); }, first_above(0.25)},
      {"reciprocal(%0) * rsqrt(%0 + 0.1)", values(1),
       [](In x) { return reciprocal(x[0]) * rsqrt(x[0] + 0.1); }, first_above(0.25)},
      {"square(%0)", values(1), [](In x) { return square(x[0]); }},
      {"relu(%0)", values(1), [](In x) { return relu(x[0]); }, kinks({0})},
      {"abs(%0)", values(1), [](In x) { return abs(x[0]); }, kinks({0})},
      {"gelu(%0) - silu(2 * %0)", values(1), [](In x) { return gelu(x[0]) - silu(2 * x[0]); }},
      {"softplus(%0) * log_sigmoid(%0)", values(1),
       [](In x) { return softplus(x[0]) * log_sigmoid(x[0]); }},
      {"sin(%0) * cos(2 * %0)", values(1), [](In x) { return sin(x[0]) * cos(2 * x[0]); }},
      {"erf(%0) + %0 * erfc(0.5 * %0)", values(1),
       [](In x) { return erf(x[0]) + x[0] * erfc(0.5 * x[0]); }},
      {"elu(%0, 0.7) + leaky_relu(%0, 0.1)", values(1),
       [](In x) { return elu(x[0], 0.7) + leaky_relu(x[0], 0.1); }, kinks({0})},
      {"hardtanh(%0, -0.5, 0.8) * hardsigmoid(4 * %0)", values(1),
       [](In x) { return hardtanh(x[0], -0.5, 0.8) * hardsigmoid(4 * x[0]); },
       kinks({-0.5, 0.8, -0.75, 0.75})},
      {"clamp(square(%0), 0.1, 0.7)", values(1), [](In x) { return clamp(square(x[0]), 0.1, 0.7); },
       [](In x) {
         return distance(Variable(square(x[0])), {0.1, 0.7});
       }},
      {"expm1(tanh(%0)) * log1p(square(%0))", values(1),
       [](In x) { return expm1(tanh(x[0])) * log1p(square(x[0])); }},
      {"softsign(%0)", values(1), [](In x) { return softsign(x[0]); }, kinks({0})},
      {"floor(2 * %0) * %0 + sign(%0)", values(1),
       [](In x) { return floor(2 * x[0]) * x[0] + sign(x[0]); },
       kinks({-3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3})},
      {"2 - (3 / (%0 * %0 + 1) + %0 / 4 - 1.5) * 0.5", values(1),
       [](In x) { return 2 - (3 / (x[0] * x[0] + 1) + x[0] / 4 - 1.5) * 0.5; }},
      {"pow(%0, 2.5)", values(1), [](In x) { return pow(x[0], 2.5); }, first_above(0.25)},
      {"pow(1.7, %0) * pow(%0, 3)", values(1), [](In x) { return pow(1.7, x[0]) * pow(x[0], 3); }},
      {"%0 * $0",
       [](Chooser& choose, Step& step) {
         step.reals = {choose.rng().uniform(-2, 2)};
         return values(1)(choose, step);
       },
       [](In x) { return x[0] * x.real(0); }},
  };
}

std::vector<Operation> of_two() {
  return {
      {"%0 + %1", values(2), [](In x) { return x[0] + x[1]; }},
      {"%0 - %1", values(2), [](In x) { return x[0] - x[1]; }},
      {"%0 * %1", values(2), [](In x) { return x[0] * x[1]; }},
      {"%0 / %1", values(2), [](In x) { return x[0] / x[1]; },
       [](In x) { return above(x[1], 0.25); }},
      {"tanh(%0 + %1)", values(2), [](In x) { return tanh(x[0] + x[1]); }},
      {"maximum(%0, %1)", values(2), [](In x) { return maximum(x[0], x[1]); }, between_both},
      {"minimum(%0, %1) * %0", values(2), [](In x) { return minimum(x[0], x[1]) * x[0]; },
       between_both},
      {"log_add_exp(%0, %1)", values(2), [](In x) { return log_add_exp(x[0], x[1]); }},
      {"gap(%0, %1) * %0", values(2), [](In x) { return gap(x[0], x[1]) * x[0]; }},
      {"pow(%0, %1)", values(2), [](In x) { return pow(x[0], x[1]); }, first_above(0.25)},
      {"tanh(%0) * %1 + square(%1)", values(2),
       [](In x) { return tanh(x[0]) * x[1] + square(x[1]); }},
      {"%0 * %0 * tanh(%0) + %1", values(2), [](In x) { return x[0] * x[0] * tanh(x[0]) + x[1]; }},
      {"where(greater(%0, %1), exp(tanh(%0)), %0 * %1)", values(2),
       [](In x) { return where(greater(x[0], x[1]), exp(tanh(x[0])), x[0] * x[1]); }, between_both},
      {"masked(less_equal(%0, 0.2), %1) + positive(%0) * %1", values(2),
       [](In x) { return masked(less_equal(x[0], 0.2), x[1]) + positive(x[0]) * x[1]; },
       kinks({0, 0.2})},
      {"masked_fill(%1, greater_equal(%0, 0.1), 0.5) * less(%0, 0.9)", values(2),
       [](In x) { return masked_fill(x[1], greater_equal(x[0], 0.1), 0.5) * less(x[0], 0.9); },
       kinks({0.1, 0.9})},
      {"equal(%0, %0) * %1 + not_equal(%0, %1) * %0", values(2),
       [](In x) { return equal(x[0], x[0]) * x[1] + not_equal(x[0], x[1]) * x[0]; }, between_both},
      {"heaviside(%0) * exp(tanh(%1)) + is_zero(%0)", values(2),
       [](In x) { return heaviside(x[0]) * exp(tanh(x[1])) + is_zero(x[0]); }, kinks({0})},
      {"lerp(%0, %1, 0.3)", values(2), [](In x) { return lerp(x[0], x[1], 0.3); }},
      {"elementwise(Mixed{}, %0, tanh(%1))", values(2),
       [](In x) { return elementwise(Mixed{}, x[0], tanh(x[1])); }},
      {"chunk<2>(%0 * %1)[1] * chunk<2>(%0)[0]", divisible_by(2),
       [](In x) { return chunk<2>(x[0] * x[1])[1] * chunk<2>(x[0])[0]; }},
  };
}

std::vector<Operation> of_three() {
  return {
      {"%0 + %1 + %2", values(3), [](In x) { return x[0] + x[1] + x[2]; }},
      {"%0 * %1 + %1 * %2 - %2", values(3), [](In x) { return x[0] * x[1] + x[1] * x[2] - x[2]; }},
      {"lerp(%0, tanh(%1), %2)", values(3), [](In x) { return lerp(x[0], tanh(x[1]), x[2]); }},
      {"tanh(%0 * sigmoid(%1) + sqrt(square(%2) + 1)) / (1 + exp(-tanh(%0 * %2)))", values(3),
       [](In x) {
         return tanh(x[0] * sigmoid(x[1]) + sqrt(square(x[2]) + 1)) / (1 + exp(-tanh(x[0] * x[2])));
       }},
      {"(%0 + %1) - tanh(%0 + %2)", values(3),
       [](In x) { return (x[0] + x[1]) - tanh(x[0] + x[2]); }},
      {"[i f g o] = chunk<4>(%0 + %1); sigmoid(o) * tanh(sigmoid(f) * i + sigmoid(i) * tanh(g))",
       divisible_by(4),
       [](In x) {
         const auto [i, f, g, o] = chunk<4>(x[0] + x[1]);
         const Variable c = sigmoid(f) * i + sigmoid(i) * tanh(g);
         return sigmoid(o) * tanh(c);
       }},
  };
}

const Operation& with_text(const char* text) {
  for (const Operation& operation : elementwise_operations()) {
    if (std::string(operation.text) == text) return operation;
  }
  fail("there is no operation {}", text);
}

}  // namespace

const std::vector<Operation>& elementwise_operations() {
  static const std::vector<Operation> kAll = [] {
    std::vector<Operation> all;
    for (auto& part : {of_one(), of_two(), of_three()})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }();
  return kAll;
}

const Operation& scaled_operation() { return with_text("%0 * $0"); }
const Operation& tanh_sum_operation() { return with_text("tanh(%0 + %1)"); }

}  // namespace hindsight::random_programs
