// Reductions and running results that might overflow, with ties, and of no elements.
#include "support.h"

namespace hindsight::test {
namespace {

constexpr double kInf = INFINITY;

Tensor line(const std::vector<double>& values, DType dtype = DType::f32) {
  return Tensor::from(values, {static_cast<Size>(values.size())}, dtype);
}

/// The derivative of the sum of f(x).
std::vector<double> slope(const Tensor& x, Variable (*f)(const Variable&)) {
  Tape tape;
  const Variable in = tape.watch(x);
  return tape.gradient(sum(f(in)), {in})[0].value().to_vector();
}

TEST_CASE("values over any axes") {
  const Variable x(Tensor::from({1, 5, 2, 4, 3, 6, -1, 0, 7, -2, 9, 8}, {2, 3, 2}, DType::f64));
  const auto values = [](const Variable& y) { return y.value().to_vector(); };
  CHECK(max(x).item() == 9);
  CHECK(values(max(x, {0})) == std::vector<double>{1, 5, 7, 4, 9, 8});
  CHECK(values(max(x, {1})) == std::vector<double>{3, 6, 9, 8});
  CHECK(values(min(x, {0, 2})) == std::vector<double>{-1, -2, 3});
  CHECK(values(prod(x, {-1})) == std::vector<double>{5, 8, 18, 0, -14, 72});
  CHECK(values(var(x, {2})) == std::vector<double>{4, 1, 2.25, 0.25, 20.25, 0.25});
  CHECK(max(x, {0, 2}, KeepDims::yes).shape() == Shape{1, 3, 1});
  CHECK(norm(x, {0, 2}).shape() == Shape{3});
  CHECK(logsumexp(x, {}, KeepDims::yes).shape() == Shape{1, 1, 1});
  CHECK(norm(Variable(line({3, 4}))).item() == 5);
  CHECK(values(cumsum(x, 1)) == std::vector<double>{1, 5, 3, 9, 6, 15, -1, 0, 6, -2, 15, 6});
  CHECK(max(Variable(Tensor::full({}, 3))).item() == 3);
}

TEST_CASE("the position of the largest") {
  const Variable x(Tensor::from({1, 5, 5, 4, NAN, 6, NAN, 0}, {2, 4}));
  const Indices columns = argmax(x, 1), rows = argmax(x, 0, KeepDims::yes);
  CHECK(columns.shape() == Shape{2});
  CHECK(columns[0] == 1);
  CHECK(columns[1] == 0);
  CHECK(rows.shape() == Shape{1, 4});
  CHECK(rows[0] == 1);
  CHECK(rows[2] == 1);
  CHECK(rows[3] == 0);
  CHECK(argmax(x)[0] == 4);
  CHECK(argmax(x).shape() == Shape{});
  CHECK(argmax(transpose(x), 0)[0] == 1);
}

TEST_CASE("NaN is the largest and the smallest") {
  const Variable x(line({1, NAN, 3, -2, 0}));
  CHECK(std::isnan(max(x).item()));
  CHECK(std::isnan(min(x).item()));
  CHECK(std::isnan(norm(x).item()));
  CHECK(std::isnan(logsumexp(x).item()));
}

TEST_CASE("the gradient of equal extremes is shared") {
  const auto largest = [](const Variable& x) { return max(x); };
  CHECK(slope(line({1, 4, 4, 0, 4, 4}), largest) == std::vector<double>{0, .25, .25, 0, .25, .25});
  CHECK(slope(line({2, 2, 3}), [](const Variable& x) { return min(x); }) ==
        std::vector<double>{0.5, 0.5, 0});
}

TEST_CASE("the gradient of a product with zeros") {
  const auto product = [](const Variable& x) { return prod(x); };
  CHECK(slope(line({2, 0, 3, 4, 5}), product) == std::vector<double>{0, 120, 0, 0, 0});
  CHECK(slope(line({2, 0, 3, 0}), product) == std::vector<double>{0, 0, 0, 0});
}

TEST_CASE("norms of large, small and zero elements") {
  CHECK(norm(Variable(line({3e30, 4e30}))).item() == doctest::Approx(5e30));
  CHECK(norm(Variable(line({3e-30, 4e-30}))).item() == doctest::Approx(5e-30));
  CHECK(norm(Variable(line({3e300, 4e300}, DType::f64))).item() == doctest::Approx(5e300));
  CHECK(norm(Variable(line({3, -kInf}))).item() == kInf);
  CHECK(norm(Variable(line({0, 0}))).item() == 0);
  CHECK(slope(line({0, 0}), [](const Variable& x) { return norm(x); }) ==
        std::vector<double>{0, 0});
}

TEST_CASE("logarithms of sums of exponentials do not overflow") {
  const auto total = [](const Variable& x) { return logsumexp(x); };
  const auto running = [](const Variable& x) { return logcumsumexp(x, 0); };
  CHECK(logsumexp(Variable(line({1e4, 1e4}))).item() == doctest::Approx(1e4 + std::log(2)));
  CHECK(logsumexp(Variable(line({-1e4, -1e4}))).item() == doctest::Approx(std::log(2) - 1e4));
  CHECK(logsumexp(Variable(line({-kInf, -kInf}))).item() == -kInf);
  CHECK(logsumexp(Variable(line({kInf, 1}))).item() == kInf);
  CHECK(slope(line({1e4, -1e4, -kInf}), total) == std::vector<double>{1, 0, 0});
  CHECK(slope(line({-kInf, -kInf}), total) == std::vector<double>{0, 0});
  const std::vector<double> sums =
      running(Variable(line({-kInf, 1e4, 1e4, -1e4}))).value().to_vector();
  CHECK(sums[0] == -kInf);
  CHECK(sums[1] == 1e4);
  CHECK(sums[3] == doctest::Approx(1e4 + std::log(2)));
  CHECK(slope(line({-kInf, 0, -1e4}), running) == std::vector<double>{0, 2, 0});
}

TEST_CASE("reductions of no elements") {
  const Variable none(Tensor(Shape{2, 0}, DType::f32));
  CHECK(prod(none, {1}).value().to_vector() == std::vector<double>{1, 1});
  CHECK(norm(none).item() == 0);
  CHECK(logsumexp(none, {1}).value().to_vector() == std::vector<double>{-kInf, -kInf});
  CHECK(max(none, {0}).shape() == Shape{0});
  CHECK(cumsum(none, 1).shape() == Shape{2, 0});
  CHECK(logcumsumexp(none, 1).shape() == Shape{2, 0});
}

TEST_CASE("linear recurrences of more lines than are computed side by side") {
  // Row k has 2^-k in x and 1/2 in decay: y_k = 2^-k (k + 1 + initial / 2), exactly.
  constexpr Size kSteps = 5, kLines = 5000;
  const Tensor x({3, kSteps, kLines}, DType::f32), initial({3, kLines}, DType::f32);
  for (Size i = 0; i < x.elements(); ++i)
    x.set(i, std::exp2(-static_cast<double>(i / kLines % kSteps)));
  for (Size i = 0; i < initial.elements(); ++i) initial.set(i, 2 * static_cast<double>(i % 1000));
  const Variable decay(Tensor::full(x.shape(), 0.5));
  const Tensor y = linear_recurrence(decay, x, 1, initial).value();
  Size wrong = 0;
  for (Size i = 0; i < y.elements(); ++i) {
    const Size row = i / kLines, k = row % kSteps, line = row / kSteps * kLines + i % kLines;
    const double start = static_cast<double>(line % 1000);  // decay_0 initial
    wrong += y.at(i) != std::exp2(-static_cast<double>(k)) * (static_cast<double>(k + 1) + start);
  }
  CHECK(wrong == 0);
  const Variable none(Tensor(Shape{2, 0}, DType::f32));
  CHECK(linear_recurrence(none, none, 1, Variable(Tensor::zeros({2}))).shape() == Shape{2, 0});
}

TEST_CASE("a running sum in float32 is computed in double") {
  const Tensor x = Tensor::full({3, 100000, 2}, 0.1f);
  const Tensor y = cumsum(Variable(x), 1).value();
  CHECK(y.at(y.elements() - 1) == static_cast<float>(100000 * static_cast<double>(0.1f)));
}

}  // namespace
}  // namespace hindsight::test
