// Expressions of several values.
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

/// Distance of the first value to a kink at each of some numbers.
auto kinks(std::vector<double> at) {
  return [at](In x) { return distance(x[0], at); };
}
double between_both(In x) { return distance(x[0], x[1]); }

bool rows_of(Chooser& choose, Step& step, Size parts) {
  if (!values(2)(choose, step)) return false;
  Shape shape = choose.shape(step.inputs[0]);
  if (shape.rank() == 0 || shape.back() == 0) return false;
  return broadcasts_to(choose.shape(step.inputs[1]), shape) && shape.back() % parts == 0;
}
auto divisible_by(Size parts) {
  return [parts](Chooser& choose, Step& step) { return rows_of(choose, step, parts); };
}

std::vector<Operation> of_two() {
  return {
      {"tanh(%0 + %1)", values(2), [](In x) { return tanh(x[0] + x[1]); }},
      {"%0 + %1", values(2), [](In x) { return x[0] + x[1]; }},
      {"%0 - %1", values(2), [](In x) { return x[0] - x[1]; }},
      {"%0 * %1", values(2), [](In x) { return x[0] * x[1]; }},
      {"%0 / %1", values_with_positive(2, 1), [](In x) { return x[0] / x[1]; },
       [](In x) { return above(x[1], kLeastPositive); }},
      {"maximum(%0, %1)", values(2), [](In x) { return maximum(x[0], x[1]); }, between_both},
      {"minimum(%0, %1) * %0", values(2), [](In x) { return minimum(x[0], x[1]) * x[0]; },
       between_both},
      {"log_add_exp(%0, %1)", values(2), [](In x) { return log_add_exp(x[0], x[1]); }},
      {"gap(%0, %1) * %0", values(2), [](In x) { return gap(x[0], x[1]) * x[0]; }},
      {"pow(%0, %1)", values_with_positive(2, 0), [](In x) { return pow(x[0], x[1]); },
       [](In x) { return above(x[0], kLeastPositive); }},
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

}  // namespace

const std::vector<Operation>& fused_operations() {
  static const std::vector<Operation> kAll = [] {
    std::vector<Operation> all = of_two();
    for (const Operation& operation : of_three()) all.push_back(operation);
    return all;
  }();
  return kAll;
}

const Operation& tanh_sum_operation() { return fused_operations().front(); }

}  // namespace hindsight::random_programs
