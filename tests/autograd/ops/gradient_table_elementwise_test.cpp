// The gradient table: a row for each operation. Every row is checked against central differences in
// double, first and second order, and in float32 against float64. Sizes are odd, so that the tails
// of vector loops run.
#include "support.h"

namespace hindsight::test {
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

struct Softplus {
  static constexpr unsigned kReads = kInput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "softplus";
  template <class X>
  auto value(const X& x) const {
    return log(1 + exp(x));
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return sigmoid(x);
  }
};

TEST_CASE("elementwise functions") {
  run({
      {"add", [](In x) { return x[0] + x[1]; }, {{3, 17}, {3, 17}}},
      {"sub", [](In x) { return x[0] - x[1]; }, {{3, 17}, {3, 17}}},
      {"mul", [](In x) { return x[0] * x[1]; }, {{33}, {33}}},
      {"div", [](In x) { return x[0] / x[1]; }, {{2, 50}, {2, 50}}, 0.5, 2},
      {"neg", [](In x) { return -x[0]; }, {{5, 7}}},
      {"exp", [](In x) { return exp(x[0]); }, {{3, 17}}},
      {"log", [](In x) { return log(x[0]); }, {{3, 17}}, 0.3, 3},
      {"tanh", [](In x) { return tanh(x[0]); }, {{3, 17}}},
      {"sigmoid", [](In x) { return sigmoid(x[0]); }, {{33}}, -4, 4},
      {"relu", [](In x) { return relu(x[0]); }, {{50}}},
      {"sqrt", [](In x) { return sqrt(x[0]); }, {{3, 17}}, 0.3, 3},
      {"square", [](In x) { return square(x[0]); }, {{3, 17}}},
      {"abs", [](In x) { return abs(x[0]); }, {{3, 17}}},
      {"maximum", [](In x) { return maximum(x[0], x[1]); }, {{3, 17}, {3, 17}}},
      {"minimum", [](In x) { return minimum(x[0], x[1]); }, {{3, 17}, {3, 17}}},
      {"maximum of squares", [](In x) { return maximum(square(x[0]), 0.5); }, {{33}}},
      {"minimum with a scalar", [](In x) { return minimum(0.3, exp(x[0])); }, {{33}}},
      {"sign", [](In x) { return sign(x[0]) * x[0]; }, {{33}}},
      {"positive", [](In x) { return positive(x[0]) * x[1]; }, {{33}, {33}}},
      {"is_zero", [](In x) { return is_zero(x[0]) + is_zero(x[0] - x[0]) * x[1]; }, {{33}, {33}}},
      {"heaviside", [](In x) { return heaviside(x[0]) * exp(x[1]); }, {{33}, {33}}},
      {"pow of variables", [](In x) { return pow(x[0], x[1]); }, {{3, 17}, {3, 17}}, 0.4, 2},
      {"pow scalar exponent", [](In x) { return pow(x[0], 2.5); }, {{33}}, 0.4, 2},
      {"pow whole exponent", [](In x) { return pow(x[0], 3); }, {{33}}},
      {"pow scalar base", [](In x) { return pow(1.7, x[0]); }, {{33}}},
      {"scalars on both sides",
       [](In x) { return 2 - (3 / x[0] + x[0] / 4 - 1.5) * 0.5; },
       {{17}},
       0.5,
       2},
      {"a user's function",
       [](In x) { return elementwise(Mixed{}, x[0], tanh(x[1])); },
       {{3, 17}, {3, 17}}},
      {"a user's function with a scalar",
       [](In x) { return elementwise(Mixed{}, x[0] * x[0], 0.3); },
       {{17}}},
      {"a user's costly function",
       [](In x) { return elementwise(Softplus{}, 2 * x[0]) * x[0]; },
       {{33}}},
      {"a deep expression",
       [](In x) {
         return tanh(x[0] * sigmoid(x[1]) + sqrt(square(x[2]) + 1)) / (1 + exp(-x[0] * x[2]));
       },
       {{3, 17}, {3, 17}, {3, 17}}},
      {"the same value several times",
       [](In x) { return x[0] * x[0] * tanh(x[0]) + x[0]; },
       {{3, 17}}},
      {"an expression used twice",
       [](In x) {
         const auto lazy = x[0] * x[1];
         const Variable y = lazy;
         return y * tanh(lazy);
       },
       {{33}, {33}}},
      {"a scalar value", [](In x) { return exp(x[0]) * x[1]; }, {{}, {}}},
      {"one element", [](In x) { return exp(x[0]) * x[1]; }, {{1}, {1, 1}}},
  });
}

TEST_CASE("more elementary functions and activations") {
  run({
      {"sin", [](In x) { return sin(x[0]); }, {{33}}, -4, 4},
      {"cos", [](In x) { return cos(x[0]); }, {{33}}, -4, 4},
      {"log1p", [](In x) { return log1p(x[0]); }, {{33}}, -0.7, 3},
      {"expm1", [](In x) { return expm1(x[0]); }, {{33}}},
      {"reciprocal", [](In x) { return reciprocal(x[0]); }, {{33}}, 0.5, 2},
      {"rsqrt", [](In x) { return rsqrt(x[0]); }, {{33}}, 0.5, 2},
      {"erf", [](In x) { return erf(x[0]); }, {{33}}, -3, 3},
      {"erfc", [](In x) { return erfc(x[0]); }, {{33}}, -3, 3},
      {"floor", [](In x) { return floor(2 * x[0]) * x[0]; }, {{33}}},
      {"softplus", [](In x) { return softplus(x[0]); }, {{33}}, -4, 4},
      {"log_sigmoid", [](In x) { return log_sigmoid(x[0]); }, {{33}}, -4, 4},
      {"silu", [](In x) { return silu(x[0]); }, {{33}}, -4, 4},
      {"gelu", [](In x) { return gelu(x[0]); }, {{33}}, -4, 4},
      {"elu", [](In x) { return elu(x[0]); }, {{33}}},
      {"elu of another alpha", [](In x) { return elu(x[0] * x[1], 0.3); }, {{33}, {33}}},
      {"leaky_relu", [](In x) { return leaky_relu(square(x[0]) - 1); }, {{33}}},
      {"leaky_relu of another slope", [](In x) { return leaky_relu(x[0], 0.2) * x[0]; }, {{33}}},
      {"hardtanh", [](In x) { return square(hardtanh(x[0])); }, {{33}}},
      {"hardtanh of other limits", [](In x) { return hardtanh(x[0], 0, 0.7) * x[0]; }, {{33}}},
      {"hardsigmoid", [](In x) { return square(hardsigmoid(x[0])); }, {{33}}, -5, 5},
      {"softsign", [](In x) { return softsign(x[0]); }, {{33}}},
  });
}

TEST_CASE("masks and limits") {
  run({
      {"clamp", [](In x) { return square(clamp(x[0], -0.5, 0.8)); }, {{33}}},
      {"log_add_exp", [](In x) { return log_add_exp(x[0], x[1]); }, {{3, 17}, {17}}},
      {"log_add_exp with a scalar", [](In x) { return log_add_exp(0.3, square(x[0])); }, {{33}}},
      {"log_add_exp of the same", [](In x) { return log_add_exp(x[0], x[0]) * x[0]; }, {{33}}},
      {"gap", [](In x) { return square(gap(x[0], x[1])); }, {{33}, {33}}},
      {"greater", [](In x) { return greater(x[0], x[1]) * exp(x[0]); }, {{33}, {33}}},
      {"greater_equal", [](In x) { return greater_equal(x[0], 0.2) * exp(x[0]); }, {{33}}},
      {"less", [](In x) { return less(x[0], x[1]) * exp(x[1]); }, {{3, 17}, {17}}},
      {"less_equal", [](In x) { return less_equal(0.2, x[0]) * exp(x[0]); }, {{33}}},
      {"equal",
       [](In x) { return exp(x[0]) * (equal(x[0], x[0]) + equal(x[0], x[1])); },
       {{9}, {9}}},
      {"not_equal", [](In x) { return exp(x[0]) * not_equal(x[0], x[1]); }, {{9}, {9}}},
      {"masked", [](In x) { return masked(greater(x[0], 0), exp(x[1])); }, {{33}, {33}}},
      {"where",
       [](In x) { return where(greater(x[0], x[1]), exp(x[0]), x[0] * x[1]); },
       {{3, 17}, {17}}},
      {"where with a scalar", [](In x) { return where(less(x[0], 0), 2, square(x[0])); }, {{33}}},
      {"lerp", [](In x) { return lerp(x[0], exp(x[1]), x[2]); }, {{3, 17}, {17}, {3, 1}}},
      {"lerp by a number", [](In x) { return square(lerp(x[0], x[1], 0.3)); }, {{33}, {33}}},
  });
}

TEST_CASE("broadcasting and strides in expressions") {
  const auto fused = [](In x) { return tanh(x[0]) * x[1] + square(x[1]); };
  run({
      {"a row", fused, {{5, 17}, {17}}},
      {"a row on the left", fused, {{17}, {5, 17}}},
      {"a column", fused, {{5, 17}, {5, 1}}},
      {"a column on the left", fused, {{5, 1}, {5, 17}}},
      {"row and column", fused, {{1, 33}, {4, 1}}},
      {"a scalar", fused, {{3, 17}, {}}},
      {"one element", fused, {{3, 17}, {1, 1}}},
      {"the middle axis", fused, {{3, 1, 17}, {3, 4, 17}}},
      {"the outer axis", fused, {{1, 4, 17}, {3, 4, 17}}},
      {"outer and inner", fused, {{1, 4, 1}, {3, 4, 17}}},
      {"both ways", fused, {{3, 1, 17, 1}, {4, 1, 5}}},
      {"six axes", fused, {{2, 1, 3, 1, 2, 5}, {3, 1, 2, 1, 5}}},
      {"six axes, none merged",
       [](In x) { return x[0] * x[1] * x[2]; },
       {{2, 1, 3, 1, 2, 1}, {1, 2, 1, 3, 1, 5}, {3, 1, 2, 5}}},
      {"a long row broken into blocks", fused, {{2, 1}, {2, 1100}}},
      {"transposed", [](In x) { return tanh(transpose(x[0])) * x[1]; }, {{17, 5}, {5, 17}}},
      {"transposed against itself", [](In x) { return tanh(transpose(x[0])) * x[0]; }, {{17, 17}}},
      {"permuted",
       [](In x) {
         return exp(permute(x[0], {2, 0, 1})) * x[1];
       },
       {{3, 4, 5}, {5, 3, 4}}},
      {"stepped",
       [](In x) { return exp(slice(x[0], 1, 1, 9, 3)) * slice(x[1], 1, 0, 9, 2); },
       {{3, 33}, {3, 17}}},
      {"stepped rows", [](In x) { return exp(slice(x[0], 0, 1, 3, 2)) * x[1]; }, {{7, 17}, {17}}},
      {"overlapping views",
       [](In x) { return slice(x[0], 0, 0, 20) * exp(slice(x[0], 0, 7, 20)); },
       {{33}}},
      {"three overlapping views",
       [](In x) {
         return slice(x[0], 0, 0, 20) * exp(slice(x[0], 0, 7, 20)) +
                slice(x[0], 0, 13, 20) * slice(x[0], 0, 0, 20);
       },
       {{33}}},
      {"a view and the whole", [](In x) { return x[0] * x[0][1]; }, {{3, 17}}},
      {"the whole and a view of it, later",
       [](In x) { return Variable(tanh(x[0])) * exp(x[0][1]) + x[0][2]; },
       {{3, 17}}},
      {"overlapping blocks of rows",
       [](In x) { return slice(x[0], 0, 0, 3) / slice(x[0], 0, 1, 3); },
       {{4, 17}},
       0.5,
       2},
      {"a value as row and as column", [](In x) { return exp(x[0]) * unsqueeze(x[0], 1); }, {{17}}},
      {"overlapping stepped views",
       [](In x) {
         return slice(x[0], 0, 0, 9, 3) * exp(slice(x[0], 0, 2, 9, 3)) * slice(x[0], 0, 0, 9, 3);
       },
       {{33}}},
      {"time steps", [](In x) { return x[0][0] * tanh(x[0][2]) + x[0][1]; }, {{3, 2, 17}}},
      {"chunks of a value",
       [](In x) {
         const auto [a, b, c] = chunk<3>(x[0]);
         return a * tanh(b) - c / (2 + a);
       },
       {{5, 51}}},
      {"chunks of a sum",
       [](In x) {
         const auto [i, f, g, o] = chunk<4>(x[0] + x[1] + x[2]);
         const Variable c = sigmoid(f) * x[3] + sigmoid(i) * tanh(g);
         return sigmoid(o) * tanh(c);
       },
       {{3, 68}, {3, 68}, {68}, {3, 17}}},
      {"chunks with a column",
       [](In x) { return chunk<2>(x[0] * x[1])[1] * chunk<2>(x[0])[0]; },
       {{3, 34}, {3, 1}}},
  });
}

}  // namespace
}  // namespace hindsight::test
