// Elementwise functions at the ends of their range and where branches meet; simd_math_test.cpp
// covers the rest.
#include "support.h"

namespace hindsight::test {
namespace {

constexpr double kInf = INFINITY;

Variable line(const std::vector<double>& values, DType dtype = DType::f32) {
  return Variable(Tensor::from(values, {static_cast<Size>(values.size())}, dtype));
}
std::vector<double> values(const Variable& x) { return x.value().to_vector(); }

/// The derivative of the sum of f(x).
template <class F>
std::vector<double> slope(const Variable& x, F&& f) {
  Tape tape;
  const Variable in = tape.watch(x.value());
  const Variable y = f(in);
  return values(tape.gradient(sum(y), {in})[0]);
}

TEST_CASE("values in double") {
  const double x = -1.3;
  const auto of = [&](auto f) { return Variable(f(line({x}, DType::f64))).item(); };
  const auto near = [](double value) { return doctest::Approx(value).epsilon(1e-14); };
  CHECK(of([](auto&& v) { return softplus(v); }) == near(std::log1p(std::exp(x))));
  CHECK(of([](auto&& v) { return log_sigmoid(v); }) == near(-std::log1p(std::exp(-x))));
  CHECK(of([](auto&& v) { return gelu(v); }) == near(x / 2 * std::erfc(-x / std::sqrt(2))));
  CHECK(of([](auto&& v) { return silu(v); }) == near(x / (1 + std::exp(-x))));
  CHECK(of([](auto&& v) { return elu(v, 0.5); }) == near(0.5 * std::expm1(x)));
  CHECK(of([](auto&& v) { return softsign(v); }) == near(x / 2.3));
  CHECK(of([](auto&& v) { return log_add_exp(v, 0.4); }) ==
        near(std::log(std::exp(x) + std::exp(0.4))));
}

TEST_CASE("no overflow at large arguments") {
  const Variable x = line({-kInf, -1e4, -200, 200, 1e4, kInf});
  CHECK(values(softplus(x)) == std::vector<double>{0, 0, 0, 200, 1e4, kInf});
  CHECK(values(log_sigmoid(x)) == std::vector<double>{-kInf, -1e4, -200, 0, 0, 0});
  CHECK(values(sigmoid(x)) == std::vector<double>{0, 0, 0, 1, 1, 1});
  CHECK(values(elu(x)) == std::vector<double>{-1, -1, -1, 200, 1e4, kInf});
  const auto slope_of = [&](auto f) { return slope(x, f); };
  CHECK(slope_of([](auto&& v) { return Variable(softplus(v)); }) ==
        std::vector<double>{0, 0, 0, 1, 1, 1});
  CHECK(slope_of([](auto&& v) { return Variable(log_sigmoid(v)); }) ==
        std::vector<double>{1, 1, 1, 0, 0, 0});
  CHECK(slope_of([](auto&& v) { return Variable(elu(v)); }) ==
        std::vector<double>{0, 0, 0, 1, 1, 1});
}

TEST_CASE("log_add_exp of infinities") {
  const Variable a = line({-kInf, -kInf, kInf, 1e4, -1e4}), b = line({-kInf, 3, kInf, 1e4, 3});
  CHECK(values(log_add_exp(a, b))[0] == -kInf);
  CHECK(values(log_add_exp(a, b))[1] == 3);
  CHECK(values(log_add_exp(a, b))[2] == kInf);
  CHECK(values(log_add_exp(a, b))[3] == doctest::Approx(1e4 + std::log(2)));
  CHECK(slope(a, [&](auto&& v) { return Variable(log_add_exp(v, b)); }) ==
        std::vector<double>{0.5, 0, 0.5, 0.5, 0});
  CHECK(std::isnan(Variable(log_add_exp(line({NAN}), line({1}))).item()));
}

TEST_CASE("comparisons") {
  const Variable a = line({1, 2, 3, NAN}), b = line({2, 2, 2, 2});
  CHECK(values(greater(a, b)) == std::vector<double>{0, 0, 1, 0});
  CHECK(values(greater_equal(a, b)) == std::vector<double>{0, 1, 1, 0});
  CHECK(values(less(a, b)) == std::vector<double>{1, 0, 0, 0});
  CHECK(values(less_equal(a, 2)) == std::vector<double>{1, 1, 0, 0});
  CHECK(values(equal(2, a)) == std::vector<double>{0, 1, 0, 0});
  CHECK(values(not_equal(a, b)) == std::vector<double>{1, 0, 1, 1});
  CHECK(slope(a, [&](auto&& v) { return Variable(greater(v, b)); }) ==
        std::vector<double>{0, 0, 0, 0});
}

TEST_CASE("where ignores the elements it does not select") {
  const Variable mask = line({1, 0, 1, 0}), x = line({1, NAN, 3, kInf}),
                 y = line({NAN, 5, kInf, 7});
  CHECK(values(where(mask, x, y)) == std::vector<double>{1, 5, 3, 7});
  CHECK(slope(x, [&](auto&& v) { return Variable(where(mask, v, y)); }) ==
        std::vector<double>{1, 0, 1, 0});
  CHECK(values(where(mask, 1, -1)) == std::vector<double>{1, -1, 1, -1});
}

TEST_CASE("limits") {
  const Variable x = line({-2, -1, 0, 1, 2, NAN});
  const std::vector<double> kept = values(clamp(x, -1, 1));
  CHECK(std::vector<double>(kept.begin(), kept.end() - 1) == std::vector<double>{-1, -1, 0, 1, 1});
  CHECK(std::isnan(kept.back()));
  const Variable ends = line({-2, -1, 0, 1, 2});
  CHECK(slope(ends, [](auto&& v) { return Variable(clamp(v, -1, 1)); }) ==
        std::vector<double>{0, 1, 1, 1, 0});
  CHECK(slope(ends, [](auto&& v) { return Variable(hardtanh(v)); }) ==
        std::vector<double>{0, 0, 1, 0, 0});
  CHECK(values(lerp(line({0.1f}), line({0.7f}), 1)) == values(line({0.7f})));
}

}  // namespace
}  // namespace hindsight::test
