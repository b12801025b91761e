// Elementwise functions over the whole range of float32, at its ends, and where branches meet.
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

/// |got - wanted| in units of the last place of wanted's float32. What is below the smallest normal
/// number counts as 0.
double ulps(double got, double wanted) {
  const auto flushed = [](double x) { return std::abs(x) < 1.2e-38 ? 0 : x; };
  got = flushed(got), wanted = flushed(wanted);
  const auto rounded = static_cast<float>(wanted);
  if (static_cast<float>(got) == rounded || (std::isnan(got) && std::isnan(wanted))) return 0;
  const float next = std::nextafter(std::abs(rounded), 0.0f);
  return std::abs(got - wanted) / static_cast<double>(std::abs(rounded) - next);
}

struct Range {
  const char* name;
  Variable (*function)(const Variable&);
  double low = -kInf, high = kInf;
  double allowed = 2;
};

#define RANGE(name) #name, [](const Variable& x) -> Variable { return name(x); }

// exp of xsimd is infinite from 88.38 on and 0 up to -87.34, where the largest and the smallest
// normal number are not reached yet.
const Range kRanges[] = {
    {RANGE(abs)},
    {RANGE(cos)},
    {RANGE(elu)},
    {RANGE(erf)},
    {RANGE(erfc)},
    {RANGE(exp), -kInf, 88.37},
    {RANGE(expm1), -kInf, 88.37},
    {RANGE(floor)},
    {RANGE(gelu)},
    {RANGE(hardsigmoid)},
    {RANGE(hardtanh)},
    {RANGE(leaky_relu)},
    {RANGE(log)},
    {RANGE(log1p)},
    {RANGE(log_sigmoid)},
    {RANGE(reciprocal)},
    {RANGE(relu)},
    {RANGE(rsqrt)},
    {RANGE(sigmoid), -87, kInf, 2.3},  // three roundings, and exp is hot in every cell
    {RANGE(silu), -87, kInf, 2.3},
    {RANGE(sin)},
    {RANGE(softplus)},
    {RANGE(softsign)},
    {RANGE(sqrt)},
    {RANGE(square)},
    {RANGE(tanh)},
};

#undef RANGE

TEST_CASE("float32 agrees with float64 over its whole range") {
  std::vector<double> all;
  for (std::uint64_t bits = 0; bits < 0x100000000; bits += 65003) {  // prime: every mantissa varies
    const auto pattern = static_cast<std::uint32_t>(bits);
    float x;
    std::memcpy(&x, &pattern, sizeof x);
    all.push_back(static_cast<double>(x));
  }
  for (const Range& range : kRanges) {
    std::vector<double> inside;
    for (double x : all) {
      if (std::isnan(x) || (x >= range.low && x <= range.high)) inside.push_back(x);
    }
    const std::vector<double> got = values(range.function(line(inside))),
                              wanted = values(range.function(line(inside, DType::f64)));
    std::size_t worst = 0;
    for (std::size_t i = 1; i < inside.size(); ++i) {
      // Not less or equal, so that NaN is the worst.
      if (!(ulps(got[i], wanted[i]) <= ulps(got[worst], wanted[worst]))) worst = i;
    }
    INFO(std::string(range.name), " of ", inside[worst], " is ", got[worst]);
    CHECK(ulps(got[worst], wanted[worst]) <= range.allowed);
  }
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

TEST_CASE("where does not look at what it leaves out") {
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
