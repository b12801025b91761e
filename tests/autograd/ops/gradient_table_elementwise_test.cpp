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

/// A function of a sequence that nothing else holds, and whose memory may have been reused since.
Variable let_go(const Variable& first, const Variable& second) {
  Variable result;
  {
    Sequence sequence(2);
    sequence.put(0, first);
    sequence.put(1, second);
    result = tanh(sum(tanh(sequence.values()), {0}));
  }
  std::vector<Tensor> others;
  for (int i = 0; i < 4; ++i) others.push_back(Tensor::full({2, 2, 17}, 9, first.dtype()));
  return result;
}

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

TEST_CASE("products") {
  const auto product = [](In x) { return matmul(x[0], x[1]); };
  const auto weighted = [](In x) { return tanh(matmul(tanh(x[0]), x[1])); };
  run({
      {"matmul", weighted, {{5, 17}, {17, 33}}},
      {"matmul, right transposed",
       [](In x) { return matmul(x[0], transpose(x[1])); },
       {{5, 17}, {33, 17}}},
      {"matmul, left transposed",
       [](In x) { return matmul(transpose(x[0]), x[1]); },
       {{17, 5}, {17, 33}}},
      {"matmul, both transposed",
       [](In x) { return matmul(transpose(x[0]), transpose(x[1])); },
       {{17, 5}, {33, 17}}},
      {"matmul, result transposed",
       [](In x) { return tanh(transpose(matmul(x[0], x[1]))); },
       {{5, 17}, {17, 3}}},
      {"matmul of one row", product, {{1, 17}, {17, 33}}},
      {"matmul to one column", product, {{5, 17}, {17, 1}}},
      {"matmul of one column", product, {{5, 1}, {1, 17}}},
      {"matmul of one element", product, {{1, 1}, {1, 1}}},
      {"matmul of one row, transposed",
       [](In x) { return matmul(transpose(x[0]), transpose(x[1])); },
       {{17, 1}, {33, 17}}},
      {"matmul, a column transposed",
       [](In x) { return matmul(x[0], transpose(x[1])); },
       {{5, 1}, {17, 1}}},
      {"matmul, large", product, {{65, 70}, {70, 66}}},
      {"matmul, large, transposed",
       [](In x) { return matmul(transpose(x[0]), transpose(x[1])); },
       {{70, 65}, {66, 70}}},
      {"matmul with itself", [](In x) { return matmul(x[0], tanh(matmul(x[0], x[0]))); }, {{9, 9}}},
      {"matmul with its transpose", [](In x) { return matmul(x[0], transpose(x[0])); }, {{5, 17}}},
      {"matmul of slices",
       [](In x) { return matmul(slice(x[0], 1, 3, 7), slice(x[1], 1, 2, 9)); },
       {{5, 17}, {7, 17}}},
      {"matmul of columns",
       [](In x) { return matmul(slice(x[0], 1, 3, 1), slice(x[1], 0, 2, 1)); },
       {{5, 17}, {7, 17}}},
      {"matmul of stepped views",
       [](In x) { return matmul(slice(x[0], 1, 0, 5, 3), slice(x[1], 1, 1, 6, 2)); },
       {{4, 17}, {5, 17}}},
      {"matmul of stepped rows",
       [](In x) { return matmul(slice(x[0], 0, 0, 3, 2), slice(x[1], 0, 1, 5, 3)); },
       {{7, 5}, {17, 9}}},
      {"matmul of overlapping slices",
       [](In x) { return matmul(slice(x[0], 0, 0, 5), slice(x[0], 0, 2, 5)); },
       {{7, 5}}},
      {"matmul of a sequence", weighted, {{3, 4, 17}, {17, 9}}},
      {"matmul of a transposed sequence",
       [](In x) { return matmul(transpose(x[0], 0, 1), x[1]); },
       {{3, 4, 17}, {17, 9}}},
      {"batched", weighted, {{3, 5, 7}, {3, 7, 4}}},
      {"batched, broadcast left", product, {{5, 7}, {3, 7, 4}}},
      {"batched, broadcast both", product, {{2, 1, 5, 7}, {3, 7, 4}}},
      {"batched, transposed",
       [](In x) { return matmul(transpose(x[0]), transpose(x[1])); },
       {{3, 7, 5}, {3, 4, 7}}},
      {"matmul of a vector and a matrix", weighted, {{17}, {17, 5}}},
      {"matmul of matrices and a vector", weighted, {{3, 5, 17}, {17}}},
      {"matmul of a vector and matrices", product, {{17}, {3, 17, 5}}},
      {"matmul of two vectors", product, {{17}, {17}}},
      {"six axes", product, {{2, 1, 2, 1, 3, 4}, {3, 1, 2, 4, 2}}},
      {"linear", [](In x) { return linear(x[0], x[1], x[2]); }, {{5, 17}, {9, 17}, {9}}},
      {"linear of a sequence",
       [](In x) { return tanh(linear(tanh(x[0]), x[1], x[2])); },
       {{3, 5, 17}, {9, 17}, {9}}},
  });
}

TEST_CASE("rearranging") {
  run({
      {"slice", [](In x) { return exp(slice(x[0], 1, 3, 11)) + 0.0; }, {{5, 17}}},
      {"slice, stepped", [](In x) { return tanh(slice(x[0], -1, 1, 5, 3)); }, {{5, 17}}},
      {"permute",
       [](In x) {
         return tanh(permute(x[0], {1, 2, 0}));
       },
       {{3, 4, 17}}},
      {"transpose", [](In x) { return tanh(transpose(x[0], 0, 2)); }, {{3, 4, 17}}},
      {"reshape, a view",
       [](In x) {
         return tanh(reshape(x[0], {-1, 6})) * x[1];
       },
       {{3, 4, 5}, {6}}},
      {"reshape, a copy",
       [](In x) {
         return tanh(reshape(transpose(x[0]), {10, -1}));
       },
       {{5, 4}}},
      {"reshape of chunks",
       [](In x) {
         return tanh(reshape(chunk<2>(x[0])[1], {2, 2, 9}));
       },
       {{4, 18}}},
      {"squeeze", [](In x) { return tanh(squeeze(x[0], 1)); }, {{5, 1, 17}}},
      {"unsqueeze", [](In x) { return tanh(unsqueeze(x[0], 1)) * x[1]; }, {{5, 17}, {3, 17}}},
      {"broadcast_to",
       [](In x) {
         return tanh(broadcast_to(x[0], {3, 5, 17}));
       },
       {{5, 1}}},
      {"contiguous", [](In x) { return tanh(contiguous(transpose(x[0]))); }, {{5, 17}}},
      {"concat, first axis",
       [](In x) {
         return tanh(concat({x[0], x[1], x[0]}, 0));
       },
       {{2, 17}, {3, 17}}},
      {"concat, last axis",
       [](In x) {
         return tanh(concat({x[0], tanh(x[1]), x[0]}, -1));
       },
       {{3, 2}, {3, 17}}},
      {"stack",
       [](In x) {
         return tanh(stack({x[0], x[1], tanh(x[0])}));
       },
       {{3, 17}, {3, 17}}},
      {"stack, last axis",
       [](In x) {
         return tanh(stack({x[0], x[1]}, -1));
       },
       {{3, 17}, {3, 17}}},
      {"unstack",
       [](In x) {
         const std::vector<Variable> parts = unstack(tanh(x[0]), 1);
         return parts[0] * parts[2] + parts[0];
       },
       {{5, 3, 7}}},
      {"assemble",
       [](In x) {
         const Layout whole(Shape{4, 17});
         return tanh(
             assemble({4, 17}, {whole.slice(0, 1, 2), whole.slice(1, 3, 5)}, {tanh(x[0]), x[1]}));
       },
       {{2, 17}, {4, 5}}},
      {"a sequence put together",
       [](In x) {
         Sequence sequence(3);
         Variable h = x[0];
         for (Size t = 0; t < 3; ++t) h = sequence.put(t, tanh(h * 1.1) + x[1]);
         return sequence.values() * sum(h);
       },
       {{2, 17}, {17}}},
      {"a sequence put from its end, a value twice",
       [](In x) {
         Sequence sequence(3);
         const Variable h = tanh(x[0]), first = sequence.put(2, h);
         sequence.put(0, h);
         sequence.put(1, exp(first) * h);
         return tanh(sequence.values()) * h;
       },
       {{2, 17}}},
      {"a sequence put several steps at once",
       [](In x) {
         Sequence sequence(4);
         const Variable later = sequence.put_steps(1, tanh(x[0]));
         sequence.put(0, later[2] * x[1]);
         return tanh(sequence.values()) * later[0];
       },
       {{3, 2, 17}, {17}}},
      {"checkpoint",
       [](In x) {
         const auto f = [b = x[1]](In in) { return tanh(matmul(in[0], in[1]) * b); };
         return checkpoint(f, {x[0], transpose(x[0])}) * x[1];
       },
       {{5, 3}, {5}}},
      {"a sequence that begins with a constant",
       [](In x) {
         Sequence sequence(3);
         sequence.put(0, Variable(Tensor::full({2, 17}, 0.5, x[0].dtype())));
         sequence.put(1, tanh(x[0]));
         sequence.put(2, Variable(Tensor::full({2, 17}, 0.7, x[0].dtype())));
         return tanh(sum(sequence.values(), {0}) * x[0]);
       },
       {{2, 17}}},
      {"a sequence that begins with a constant and is let go",
       [](In x) {
         return let_go(Variable(Tensor::full({2, 17}, 0.5, x[0].dtype())), tanh(x[0]));
       },
       {{2, 17}}},
      {"a sequence that ends with a constant and is let go",
       [](In x) {
         return let_go(tanh(x[0]), Variable(Tensor::full({2, 17}, 0.5, x[0].dtype())));
       },
       {{2, 17}}},
  });
}

TEST_CASE("reductions of other kinds") {
  run({
      {"var", [](In x) { return square(var(exp(x[0]))); }, {{5, 7}}},
      {"var of axes, kept",
       [](In x) {
         return x[0] * tanh(var(x[0], {0, -1}, KeepDims::yes));
       },
       {{3, 5, 2}}},
      {"max", [](In x) { return square(max(exp(x[0]))); }, {{5, 7}}},
      {"max of the last axis", [](In x) { return tanh(max(x[0], {-1})); }, {{5, 17}}},
      {"max of the first axis", [](In x) { return tanh(max(exp(x[0]), {0})); }, {{7, 9}}},
      {"max of axes apart, kept",
       [](In x) {
         return x[0] * exp(max(x[0], {0, 2}, KeepDims::yes));
       },
       {{3, 2, 5}}},
      {"min", [](In x) { return tanh(min(transpose(x[0]), {1})); }, {{7, 5}}},
      {"min of all", [](In x) { return square(min(exp(x[0]))); }, {{17}}},
      {"prod", [](In x) { return tanh(prod(x[0], {1})); }, {{3, 6}}, 0.5, 1.5},
      {"prod of the first axis", [](In x) { return prod(x[0], {0}); }, {{7, 9}}, 0.5, 1.5},
      {"prod of all", [](In x) { return prod(x[0] + 0.2); }, {{3, 3}}},
      {"prod with zeros",
       [](In x) { return prod(greater(x[0], 0) * x[0], {1}, KeepDims::yes) * x[0]; },
       {{7, 3}}},
      {"prod of one element", [](In x) { return prod(x[0], {1}) * x[0][0]; }, {{3, 1}}},
      {"norm", [](In x) { return square(norm(exp(x[0]))); }, {{5, 7}}},
      {"norm of an axis", [](In x) { return norm(x[0], {0}); }, {{5, 7}}},
      {"norm of axes, kept",
       [](In x) {
         return x[0] / norm(x[0], {1, 2}, KeepDims::yes);
       },
       {{2, 3, 5}}},
      {"logsumexp", [](In x) { return tanh(logsumexp(x[0])); }, {{5, 7}}},
      {"logsumexp of an axis", [](In x) { return logsumexp(2 * x[0], {0}); }, {{5, 7}}},
      {"logsumexp of axes, kept",
       [](In x) {
         return x[0] - logsumexp(x[0], {0, -1}, KeepDims::yes);
       },
       {{3, 2, 5}}},
  });
}

TEST_CASE("running results") {
  run({
      {"cumsum", [](In x) { return tanh(cumsum(x[0], 1)); }, {{3, 7}}},
      {"cumsum of a middle axis", [](In x) { return tanh(cumsum(x[0], -2)); }, {{3, 4, 5}}},
      {"cumsum of a transposed value",
       [](In x) { return tanh(cumsum(transpose(x[0]), 0)); },
       {{3, 7}}},
      {"logcumsumexp", [](In x) { return tanh(logcumsumexp(x[0], 1)); }, {{3, 7}}},
      {"logcumsumexp of the first axis",
       [](In x) { return logcumsumexp(2 * x[0], 0) * x[1]; },
       {{7, 3}, {3}}},
      {"logcumsumexp of one element", [](In x) { return exp(logcumsumexp(x[0], 1)); }, {{3, 1}}},
      {"linear_recurrence",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], 1)); },
       {{3, 7}, {3, 7}}},
      {"linear_recurrence from the end",
       [](In x) { return linear_recurrence(tanh(x[0]), x[1], 0, Direction::reverse); },
       {{5, 3}, {5, 3}}},
      {"linear_recurrence of itself",
       [](In x) { return linear_recurrence(x[0], x[0], 1); },
       {{2, 4, 3}}},
  });
}

TEST_CASE("reductions, losses, indices") {
  const Indices classes(std::vector<int>{1, 4, 0, 1, 6}),
      symbols(std::vector<int>{2, 0, 2, 1, 2, 0}, {3, 2});
  const auto loss = [classes](Reduction reduction) {
    return [=](In x) { return cross_entropy(tanh(x[0]) * 3, classes, {.reduction = reduction}); };
  };
  run({
      {"sum", [](In x) { return square(sum(tanh(x[0]))); }, {{5, 17}}},
      {"sum of an axis", [](In x) { return tanh(sum(tanh(x[0]), {1})); }, {{3, 17, 2}}},
      {"sum of axes, kept",
       [](In x) {
         return x[0] * tanh(sum(x[0], {0, -1}, KeepDims::yes));
       },
       {{3, 5, 2}}},
      {"sum of a transposed value",
       [](In x) { return tanh(sum(transpose(x[0]), {0})); },
       {{5, 17}}},
      {"mean", [](In x) { return square(mean(exp(x[0]))); }, {{5, 17}}},
      {"mean of axes",
       [](In x) {
         return tanh(mean(exp(x[0]), {0, 2}));
       },
       {{5, 3, 7}}},
      {"sum_to",
       [](In x) {
         return tanh(sum_to(tanh(x[0]), {5, 1}));
       },
       {{3, 5, 17}}},
      {"log_softmax", [](In x) { return log_softmax(x[0] * x[0]); }, {{5, 17}}},
      {"log_softmax, axis 0", [](In x) { return log_softmax(x[0], 0); }, {{5, 3, 4}}},
      {"log_softmax, axis 1", [](In x) { return tanh(log_softmax(x[0], 1)); }, {{2, 17, 3}}},
      {"log_softmax of a view", [](In x) { return log_softmax(slice(x[0], 1, 2, 9)); }, {{3, 17}}},
      {"cross_entropy, mean", loss(Reduction::mean), {{5, 17}}},
      {"cross_entropy, sum", loss(Reduction::sum), {{5, 7}}},
      {"cross_entropy, none", loss(Reduction::none), {{5, 33}}},
      {"cross_entropy of a view",
       [=](In x) { return cross_entropy(transpose(x[0]), classes); },
       {{9, 5}}},
      {"cross_entropy of a sequence",
       [=](In x) { return cross_entropy(x[0], symbols, {.reduction = Reduction::none}); },
       {{3, 2, 4}}},
      {"take", [=](In x) { return tanh(take(tanh(x[0]), symbols)); }, {{5, 17}}},
      {"take of a transposed table",
       [=](In x) { return tanh(take(transpose(x[0]), symbols)); },
       {{17, 5}}},
      {"take of a vector", [=](In x) { return tanh(take(x[0], classes)); }, {{7}}},
      {"take of matrices", [=](In x) { return tanh(take(x[0], symbols)); }, {{3, 2, 7}}},
      {"scatter_rows",
       [=](In x) { return tanh(scatter_rows(tanh(x[0]), symbols, 4)); },
       {{3, 2, 17}}},
      {"scatter_rows of a view",
       [=](In x) { return tanh(scatter_rows(transpose(x[0], 0, 1), symbols, 4)); },
       {{2, 3, 17}}},
      {"dropout",
       [](In x) {
         Rng rng(3);
         return dropout(tanh(x[0]), 0.4, rng);
       },
       {{5, 17}}},
  });
}

}  // namespace
}  // namespace hindsight::test
