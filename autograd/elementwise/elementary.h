#pragma once
#include <hindsight/autograd/elementwise/functions.h>

/// Elementary functions beside those of functions.h, in the same form.
namespace hindsight {

/// A struct's number as a formula takes it: registers have their own element type.
template <class X>
double number(const X&, double value) {
  return value;
}
template <class T, class A>
T number(const xsimd::batch<T, A>&, double value) {
  return static_cast<T>(value);
}

namespace functions {

constexpr double kTwoOverRootPi = 1.12837916709551257390;
constexpr double kRootHalf = 0.70710678118654752440;

struct Sin {
  static constexpr unsigned kReads = kInput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "sin";
  template <class X>
  auto value(const X& x) const {
    return sin(x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return cos(x);
  }
};

struct Cos {
  static constexpr unsigned kReads = kInput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "cos";
  template <class X>
  auto value(const X& x) const {
    return cos(x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return -sin(x);
  }
};

struct Log1p {
  static constexpr unsigned kReads = kInput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "log1p";
  template <class X>
  auto value(const X& x) const {
    return log1p(x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return 1 / (1 + x);
  }
};

struct Expm1 {
  static constexpr unsigned kReads = kOutput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "expm1";
  template <class X>
  auto value(const X& x) const {
    return expm1(x);
  }
  template <class X, class Y>
  auto derivative(const X&, const Y& y) const {
    return y + 1;
  }
};

struct Reciprocal {
  static constexpr unsigned kReads = kOutput;
  static constexpr const char* kName = "reciprocal";
  template <class X>
  auto value(const X& x) const {
    return 1 / x;
  }
  template <class X, class Y>
  auto derivative(const X&, const Y& y) const {
    return -y * y;
  }
};

/// 1 / sqrt(x), by a division: the processor's own is an approximation.
struct Rsqrt {
  static constexpr unsigned kReads = kOutput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "rsqrt";
  template <class X>
  auto value(const X& x) const {
    return 1 / sqrt(x);
  }
  template <class X, class Y>
  auto derivative(const X&, const Y& y) const {
    return -0.5 * y * y * y;
  }
};

/// xsimd's erf is 2.4 units in the last place off in float32, its erfc 66: so in double.
struct Erf {
  static constexpr unsigned kReads = kInput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "erf";
  template <class X>
  auto value(const X& x) const {
    return simd::in_double(x, [](const auto& wide) { return erf(wide); });
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return number(x, kTwoOverRootPi) * exp(-x * x);
  }
};

struct Erfc {
  static constexpr unsigned kReads = kInput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "erfc";
  template <class X>
  auto value(const X& x) const {
    return simd::in_double(x, [](const auto& wide) { return erfc(wide); });
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return number(x, -kTwoOverRootPi) * exp(-x * x);
  }
};

/// The largest whole number that is not above x; its slope is 0.
struct Floor {
  static constexpr unsigned kReads = kNothing;
  static constexpr const char* kName = "floor";
  template <class X>
  auto value(const X& x) const {
    return floor(x);
  }
  template <class X, class Y>
  Zero derivative(const X&, const Y&) const {
    return {};
  }
};

}  // namespace functions
}  // namespace hindsight
