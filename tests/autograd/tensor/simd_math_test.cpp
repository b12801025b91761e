// Elementwise functions over their whole range, and the softmax family for large logits, against
// the C library in long double.
#include <limits>

#include "support.h"

namespace hindsight::test {
namespace {

using Wide = long double;

/// |got - wanted| in units in the last place of wanted (for denormal numbers, their spacing); 0 if
/// got is wanted rounded, infinite if only one is NaN or infinite.
template <class T>
Wide ulps(T got, Wide wanted) {
  const T rounded = static_cast<T>(wanted);
  if (got == rounded || (std::isnan(got) && std::isnan(wanted))) return 0;
  if (!std::isfinite(got) || !std::isfinite(rounded)) return INFINITY;
  int exponent = 0;
  std::frexp(wanted, &exponent);
  using Limits = std::numeric_limits<T>;
  const int last = std::max(exponent, Limits::min_exponent) - Limits::digits;
  return std::abs(static_cast<Wide>(got) - wanted) / std::ldexp(Wide(1), last);
}

template <class T>
constexpr DType dtype_of = std::is_same_v<T, float> ? DType::f32 : DType::f64;

template <class T>
Tensor tensor(const std::vector<T>& values) {
  const Tensor t({static_cast<Size>(values.size())}, dtype_of<T>);
  std::copy(values.begin(), values.end(), t.data<T>());
  return t;
}

/// Numbers with evenly spaced bit patterns: all exponents, infinities and NaN, both zeros.
template <class T>
std::vector<T> all_over(std::size_t count) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const Bits step = std::numeric_limits<Bits>::max() / static_cast<Bits>(count) |
                    1;  // odd: every mantissa bit varies
  std::vector<T> result = {T(0),
                           -T(0),
                           std::numeric_limits<T>::infinity(),
                           -std::numeric_limits<T>::infinity(),
                           std::numeric_limits<T>::quiet_NaN(),
                           std::numeric_limits<T>::denorm_min(),
                           std::numeric_limits<T>::max()};
  for (std::size_t i = 0; i < count; ++i) {
    const Bits bits = step * static_cast<Bits>(i);
    T value;
    std::memcpy(&value, &bits, sizeof value);
    result.push_back(value);
  }
  return result;
}

template <class T>
std::vector<T> evenly(T low, T high, std::size_t count) {
  std::vector<T> result;
  for (std::size_t i = 0; i < count; ++i)
    result.push_back(low + (high - low) * static_cast<T>(i) / static_cast<T>(count - 1));
  return result;
}

template <class T>
void check_row(const char* name, const std::vector<T>& a, const std::vector<T>& b,
               const Tensor& got, Wide (*reference)(Wide, Wide), Wide allowed) {
  const T* y = got.data<T>();
  Wide worst = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Wide error = ulps(y[i], reference(a[i], b[i]));
    if (!(error <= worst)) worst = error, at = i;
  }
  INFO(std::string(name), " of ", a[at], ", ", b[at], " is ", y[at], ", ", worst, " ulp off");
  CHECK(worst <= allowed);
}

struct Unary {
  const char* name;
  Variable (*function)(const Variable&);
  Wide (*reference)(Wide, Wide);  // ignores its second argument
};

Wide sigmoid_of(Wide x) { return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x)); }
Wide softplus_of(Wide x) { return (x < 0 ? 0 : x) + std::log1p(std::exp(-std::abs(x))); }
Wide clamp_of(Wide x, Wide low, Wide high) { return x < low ? low : x > high ? high : x; }

#define CALL(f) [](const Variable& x) -> Variable { return f; }
#define WANT(f) [](Wide x, Wide) -> Wide { return f; }

// With these, the sigmoids of an LSTM are as exact in double as in float.
const Unary kExponentials[] = {
    {"exp", CALL(exp(x)), WANT(std::exp(x))},
    {"expm1", CALL(expm1(x)), WANT(std::expm1(x))},
    {"sigmoid", CALL(sigmoid(x)), WANT(sigmoid_of(x))},
    {"silu", CALL(silu(x)), WANT(x == -INFINITY ? 0 : x * sigmoid_of(x))},
    {"tanh", CALL(tanh(x)), WANT(std::tanh(x))},
};

const Unary kOthers[] = {
    {"abs", CALL(abs(x)), WANT(std::abs(x))},
    {"clamp", CALL(clamp(x, -2, 3)), WANT(clamp_of(x, -2, 3))},
    {"cos", CALL(cos(x)), WANT(std::cos(x))},
    {"elu", CALL(elu(x)), WANT(x > 0 ? x : std::expm1(x))},
    {"erf", CALL(erf(x)), WANT(std::erf(x))},
    {"erfc", CALL(erfc(x)), WANT(std::erfc(x))},
    {"floor", CALL(floor(x)), WANT(std::floor(x))},
    {"gelu", CALL(gelu(x)), WANT(x / 2 * std::erfc(-x * std::sqrt(Wide(0.5))))},
    {"hardsigmoid", CALL(hardsigmoid(x)), WANT(clamp_of(x + 3, 0, 6) / 6)},
    {"hardtanh", CALL(hardtanh(x)), WANT(clamp_of(x, -1, 1))},
    {"heaviside", CALL(heaviside(x)),
     WANT(x > 0    ? 1
          : x < 0  ? 0
          : x == 0 ? 0.5
                   : x)},
    {"is_zero", CALL(is_zero(x)), WANT(x == 0)},
    {"leaky_relu", CALL(leaky_relu(x, 0.125)), WANT(x > 0 ? x : x / 8)},
    {"log", CALL(log(x)), WANT(std::log(x))},
    {"log_sigmoid", CALL(log_sigmoid(x)), WANT(-softplus_of(-x))},
    {"log1p", CALL(log1p(x)), WANT(std::log1p(x))},
    {"neg", CALL(-x), WANT(-x)},
    {"positive", CALL(positive(x)), WANT(x > 0)},
    {"pow(x, -1.5)", CALL(pow(x, -1.5)), WANT(std::pow(x, Wide(-1.5)))},
    {"pow(x, 3)", CALL(pow(x, 3)), WANT(std::pow(x, Wide(3)))},
    {"pow(0.75, x)", CALL(pow(0.75, x)), WANT(std::pow(Wide(0.75), x))},
    {"reciprocal", CALL(reciprocal(x)), WANT(1 / x)},
    {"relu", CALL(relu(x)), WANT(x < 0 ? 0 : x)},
    {"rsqrt", CALL(rsqrt(x)), WANT(1 / std::sqrt(x))},
    {"sign", CALL(sign(x)),
     WANT(x > 0   ? 1
          : x < 0 ? -1
                  : x)},
    {"sin", CALL(sin(x)), WANT(std::sin(x))},
    {"softplus", CALL(softplus(x)), WANT(softplus_of(x))},
    {"softsign", CALL(softsign(x)), WANT(x / (1 + std::abs(x)))},
    {"sqrt", CALL(sqrt(x)), WANT(std::sqrt(x))},
    {"square", CALL(square(x)), WANT(x* x)},
};

#undef CALL
#undef WANT

template <class T>
void check_unary(const Unary& row, const std::vector<T>& x) {
  check_row(row.name, x, x, row.function(tensor(x)).value(), row.reference, 2);
}

TEST_CASE("float32 functions of one argument are within 2 ulp over their whole range") {
  const std::vector<float> x = all_over<float>(66000), near = evenly(-110.0f, 100.0f, 66000);
  for (const Unary& row : kExponentials) {
    check_unary(row, x);
    check_unary(row, near);
  }
  for (const Unary& row : kOthers) check_unary(row, x);
}

TEST_CASE("float64 exponentials are within 2 ulp over their whole range") {
  const std::vector<double> x = all_over<double>(66000), near = evenly(-750.0, 720.0, 66000);
  for (const Unary& row : kExponentials) {
    check_unary(row, x);
    check_unary(row, near);
  }
}

struct Binary {
  const char* name;
  Variable (*function)(const Variable&, const Variable&);
  Wide (*reference)(Wide, Wide);
};

#define CALL(f) [](const Variable& a, const Variable& b) -> Variable { return f; }
#define WANT(f) [](Wide a, Wide b) -> Wide { return f; }

Wide log_add_of(Wide a, Wide b) {
  const Wide top = std::isnan(a) || std::isnan(b) ? a + b : std::max(a, b);
  return top + std::log1p(std::exp(-(a == b ? 0 : std::abs(a - b))));
}

const Binary kBinary[] = {
    {"add", CALL(a + b), WANT(a + b)},
    {"sub", CALL(a - b), WANT(a - b)},
    {"mul", CALL(a* b), WANT(a* b)},
    {"div", CALL(a / b), WANT(a / b)},
    {"gap", CALL(gap(a, b)), WANT(a == b ? 0 : a - b)},
    {"log_add_exp", CALL(log_add_exp(a, b)), WANT(log_add_of(a, b))},
    {"masked", CALL(masked(a, b)), WANT(a == 0 ? 0 : b)},
    {"maximum", CALL(maximum(a, b)), WANT(a < b || b != b ? b : a)},
    {"minimum", CALL(minimum(a, b)), WANT(b < a || b != b ? b : a)},
    {"pow", CALL(pow(a, b)), WANT(std::pow(a, b))},
    {"where", CALL(where(greater(a, b), a, b)), WANT(a > b ? a : b)},
};

#undef CALL
#undef WANT

void check_binary(const std::vector<float>& left, const std::vector<float>& right) {
  std::vector<float> a, b;
  for (float l : left) {
    a.insert(a.end(), right.size(), l);
    b.insert(b.end(), right.begin(), right.end());
  }
  const Variable x = tensor(a), y = tensor(b);
  for (const Binary& row : kBinary)
    check_row(row.name, a, b, row.function(x, y).value(), row.reference, 2);
}

TEST_CASE("float32 functions of two arguments are within 2 ulp on grids") {
  const std::vector<float> wide = all_over<float>(250);
  check_binary(wide, wide);
  check_binary(evenly(0.03f, 30.0f, 250), evenly(-25.0f, 25.0f, 201));
  check_binary(evenly(-3.0f, 0.0f, 211), evenly(-3.0f, 0.0f, 223));  // log_add_exp crosses 0
}

TEST_CASE("lerp is within 2 ulp of its larger part") {
  const std::vector<float> a = evenly(-3.0f, 3.0f, 1001), b = evenly(5.0f, -7.0f, 1001),
                           w = evenly(0.0f, 1.0f, 1001);
  const Tensor got =
      Variable(lerp(Variable(tensor(a)), Variable(tensor(b)), Variable(tensor(w)))).value();
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double first = (1 - double(w[i])) * double(a[i]), second = double(w[i]) * double(b[i]);
    const double larger = std::max(std::abs(first), std::abs(second));
    worst = std::max(worst, std::abs(got.at(static_cast<Size>(i)) - (first + second)) / larger);
  }
  CHECK(worst <= 2 * static_cast<double>(std::numeric_limits<float>::epsilon()));
}

template <class T>
void check_special_powers() {
  const std::vector<T> values = {
      0,        T(-0.0),  1,           -1,           2,     -2,          0.5,
      T(-0.5),  3,        -3,          T(2.5),       100,   T(16777216), T(1e38),
      T(-1e38), T(1e-38), T(INFINITY), T(-INFINITY), T(NAN)};
  for (T a : values) {
    for (T b : values) {
      const T wanted = std::pow(a, b);
      const T got = *Variable(pow(Variable(tensor<T>({a})), Variable(tensor<T>({b}))))
                         .value()
                         .template data<T>();
      CAPTURE(a);
      CAPTURE(b);
      CAPTURE(got);
      CHECK(std::isnan(got) == std::isnan(wanted));
      if (std::isnan(wanted)) continue;
      CHECK(std::signbit(got) == std::signbit(wanted));
      // The rounding of x = 700 in double changes exp(x) by that many units in the last place.
      CHECK((got == wanted || std::abs(got / wanted - 1) < (sizeof(T) == 4 ? 1e-7 : 1e-12)));
    }
  }
}

TEST_CASE("pow has the special values of IEEE 754, with their signs") {
  check_special_powers<float>();
  check_special_powers<double>();
}

/// Logits of +-1e4, in rows of which some have near ties at the top.
std::vector<float> large_logits(std::size_t rows, std::size_t classes) {
  const Tensor random = random_tensor({static_cast<Size>(rows * classes)}, 3, DType::f32, -1, 1);
  std::vector<float> x(random.data<float>(), random.data<float>() + rows * classes);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t row = i / classes;
    x[i] *= row % 2 == 0 ? 1e4f : 3.0f;
    if (row % 4 == 1) x[i] += 1e4f;
    if (row % 4 == 3) x[i] -= 1e4f;
  }
  return x;
}

TEST_CASE("the softmax family is exact to 1e-6 for logits of 1e4") {
  constexpr std::size_t kRows = 16, kClasses = 101;
  const std::vector<float> x = large_logits(kRows, kClasses);
  const Variable logits = reshape(Variable(tensor(x)), {kRows, kClasses});
  Indices targets(Shape{kRows});
  for (std::size_t row = 0; row < kRows; ++row)
    targets.data()[row] = static_cast<Size>(row * 7 % kClasses);
  const Tensor p = softmax(logits).value(), log_p = log_softmax(logits).value(),
               total = logsumexp(logits, {-1}).value(),
               loss = cross_entropy(logits, targets, {.reduction = Reduction::none}).value();
  const auto far = [](double got, Wide wanted) {
    return std::abs(Wide(got) - wanted) / std::max(Wide(1), std::abs(wanted));
  };
  Wide worst = 0;
  for (std::size_t row = 0; row < kRows; ++row) {
    const float* v = x.data() + row * kClasses;
    const Wide top = *std::max_element(v, v + kClasses);
    Wide sum = 0;
    for (std::size_t i = 0; i < kClasses; ++i) sum += std::exp(v[i] - top);
    for (std::size_t i = 0; i < kClasses; ++i) {
      const Size at = static_cast<Size>(row * kClasses + i);
      worst = std::max(worst, far(p.at(at), std::exp(v[i] - top) / sum));
      worst = std::max(worst, far(log_p.at(at), v[i] - top - std::log(sum)));
    }
    const auto r = static_cast<Size>(row);
    worst = std::max(worst, far(total.at(r), top + std::log(sum)));
    worst = std::max(worst, far(loss.at(r), top + std::log(sum) - v[targets[r]]));
  }
  CHECK(worst <= 1e-6);
}

}  // namespace
}  // namespace hindsight::test
