// Elementwise functions and fused expressions. Every expression is compiled for both element types,
// both directions and tangents, so these few hold all functions, several to an expression.
#include "chooser.h"
#include "operations.h"

namespace hindsight::random_programs {
namespace {

using In = const Call&;

/// Distance of x to a kink at each of some numbers.
auto kinks(std::vector<double> at) {
  return [at](In x) { return distance(x[0], at); };
}
double is_positive(In x) { return above(x[0], kLeastPositive); }

std::vector<Operation> of_one() {
  return {
      {"%0 * $0",
       [](Chooser& choose, Step& step) {
         step.reals = {choose.rng().uniform(-2, 2)};
         return values(1)(choose, step);
       },
       [](In x) { return x[0] * x.real(0); }},
      {"tanh(%0)", values(1), [](In x) { return tanh(x[0]); }},
      {"sigmoid(%0) - 0.3", values(1), [](In x) { return sigmoid(x[0]) - 0.3; }},
      {"exp(%0)", values(1), [](In x) { return exp(x[0]); },
       [](In x) { return above(Variable(-x[0]), -2); }},
      {"log(%0)", values_with_positive(1, 0), [](In x) { return log(x[0]); }, is_positive},
      {"sqrt(%0)", values_with_positive(1, 0), [](In x) { return sqrt(x[0]); }, is_positive},
      {"reciprocal(%0) * rsqrt(%0 + 0.1)", values_with_positive(1, 0),
       [](In x) { return reciprocal(x[0]) * rsqrt(x[0] + 0.1); }, is_positive},
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
      {"pow(%0, 2.5)", values_with_positive(1, 0), [](In x) { return pow(x[0], 2.5); },
       is_positive},
      {"pow(1.7, %0) * pow(%0, 3)", values(1), [](In x) { return pow(1.7, x[0]) * pow(x[0], 3); }},
  };
}

}  // namespace

const std::vector<Operation>& elementwise_operations() {
  static const std::vector<Operation> kAll = of_one();
  return kAll;
}

const Operation& scaled_operation() { return elementwise_operations().front(); }

}  // namespace hindsight::random_programs
