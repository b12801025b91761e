// The gradient table, continued: products, reductions and running results.
#include "support.h"

namespace hindsight::test {
namespace {

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
      {"linear_recurrence of views",
       [](In x) { return tanh(linear_recurrence(transpose(x[0]), slice(x[1], 1, 2, 3), 0)); },
       {{3, 5}, {5, 7}}},
      {"linear_recurrence of repeated rows",
       [](In x) {
         return linear_recurrence(broadcast_to(x[0], {4, 5}), x[1], 0);
       },
       {{5}, {4, 5}}},
      {"linear_recurrence of one step",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], 0)) * x[0]; },
       {{1, 5}, {1, 5}}},
      {"linear_recurrence whose inputs are read before and after",
       [](In x) {
         const Variable decay = sigmoid(x[0]), v = tanh(x[1]);
         return (linear_recurrence(decay, v, 0) + decay * v) * v;
       },
       {{4, 3}, {4, 3}}},
  });
}

TEST_CASE("linear recurrences from an initial value") {
  constexpr Direction kReverse = Direction::reverse;
  run({
      {"linear_recurrence from an initial value",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], 0, x[2])); },
       {{5, 2, 3}, {5, 2, 3}, {2, 3}}},
      {"along a middle axis",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], 1, x[2])); },
       {{2, 5, 3}, {2, 5, 3}, {2, 3}}},
      {"along the last axis",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], -1, x[2])); },
       {{2, 3, 5}, {2, 3, 5}, {2, 3}}},
      {"along the only axis",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], 0, sum(x[2]))); },
       {{5}, {5}, {2}}},
      {"from the end",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], 0, x[2], kReverse)); },
       {{5, 2, 3}, {5, 2, 3}, {2, 3}}},
      {"from the end of a middle axis",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], -2, x[2], kReverse)); },
       {{2, 5, 3}, {2, 5, 3}, {2, 3}}},
      {"from the end of the last axis",
       [](In x) { return linear_recurrence(x[0], tanh(x[1]), 1, x[2], kReverse); },
       {{3, 5}, {3, 5}, {3}}},
      {"one step",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], 0, x[2])); },
       {{1, 2, 3}, {1, 2, 3}, {2, 3}}},
      {"one step from the end",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], 1, x[2], kReverse)); },
       {{4, 1}, {4, 1}, {4}}},
      {"of the first step of one value, and the others",
       [](In x) {
         const Variable rest = slice(x[0], 0, 1, 4);
         return tanh(linear_recurrence(rest, slice(x[0], 0, 1, 4), 0, x[0][0]));
       },
       {{5, 3}}},
      {"of overlapping steps of one value",
       [](In x) {
         return linear_recurrence(slice(x[0], 0, 0, 4), slice(x[0], 0, 1, 4), 0, x[0][2]);
       },
       {{5, 3}}},
      {"a transposed initial value",
       [](In x) { return tanh(linear_recurrence(x[0], x[1], 0, transpose(x[2]))); },
       {{4, 2, 3}, {4, 2, 3}, {3, 2}}},
      {"the last value as the initial one",
       [](In x) {
         const Variable y = linear_recurrence(x[0], x[1], 0, x[2]);
         return Variable(y * linear_recurrence(x[1], x[0], 0, y[3], kReverse));
       },
       {{4, 3}, {4, 3}, {3}}},
      {"of constants",
       [](In x) {
         const Variable half(Tensor::full({4, 3}, 0.5, x[0].dtype()));
         return tanh(linear_recurrence(half, half, 0, x[0]));
       },
       {{3}}},
      {"of a decay alone",
       [](In x) {
         const Variable half(Tensor::full({4, 3}, 0.5, x[0].dtype()));
         return tanh(linear_recurrence(x[0], half, 0, half[0]));
       },
       {{4, 3}}},
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
