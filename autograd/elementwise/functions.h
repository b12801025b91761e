#pragma once
#include <hindsight/autograd/tensor/simd_math.h>

#include <cmath>
#include <limits>
#include <type_traits>

/// Scalar functions: each is its value and its derivative, nothing else. The value is written for
/// vector registers, the derivative once for these and for Variables (where it is recorded and can
/// be derived again) and plain numbers (a factor of 2, say).
///
/// A unary function has value(x) and derivative(x, y) with y = value(x); a binary one has
/// value(a, b), by_left(a, b, y) and by_right(a, b, y). `kReads` (`kLeftReads`, `kRightReads`) says
/// what a derivative looks at, everything when left out: what none reads need not stay in memory,
/// and is passed as Unused. `kSaved` marks values worth keeping instead of computing them again.
namespace hindsight {

/// What a derivative reads; combine with |.
enum Reads : unsigned { kNothing = 0, kInput = 1, kLeft = 1, kRight = 2, kOutput = 4, kAll = 7 };

/// The derivatives 1, -1 and 0: multiplying by them costs nothing.
struct One {};
struct MinusOne {};
struct Zero {};
template <class G>
G operator*(const G& g, One) {
  return g;
}
template <class G>
auto operator*(const G& g, MinusOne) {
  return -g;
}
template <class T, class A>
xsimd::batch<T, A> operator*(const xsimd::batch<T, A>&, Zero) {
  return xsimd::batch<T, A>(T(0));
}

/// Stands in for what `kReads` does not name.
struct Unused {};

/// Of a plain number in a derivative.
inline double is_zero(double x) { return x == 0 ? 1 : 0; }

namespace functions {

struct Add {
  static constexpr unsigned kLeftReads = kNothing, kRightReads = kNothing;
  static constexpr const char* kName = "add";
  template <class A, class B>
  auto value(const A& a, const B& b) const {
    return a + b;
  }
  template <class A, class B, class Y>
  One by_left(const A&, const B&, const Y&) const {
    return {};
  }
  template <class A, class B, class Y>
  One by_right(const A&, const B&, const Y&) const {
    return {};
  }
};

struct Subtract {
  static constexpr unsigned kLeftReads = kNothing, kRightReads = kNothing;
  static constexpr const char* kName = "sub";
  template <class A, class B>
  auto value(const A& a, const B& b) const {
    return a - b;
  }
  template <class A, class B, class Y>
  One by_left(const A&, const B&, const Y&) const {
    return {};
  }
  template <class A, class B, class Y>
  MinusOne by_right(const A&, const B&, const Y&) const {
    return {};
  }
};

struct Multiply {
  static constexpr unsigned kLeftReads = kRight, kRightReads = kLeft;
  static constexpr const char* kName = "mul";
  template <class A, class B>
  auto value(const A& a, const B& b) const {
    return a * b;
  }
  template <class A, class B, class Y>
  B by_left(const A&, const B& b, const Y&) const {
    return b;
  }
  template <class A, class B, class Y>
  A by_right(const A& a, const B&, const Y&) const {
    return a;
  }
};

struct Divide {
  static constexpr unsigned kLeftReads = kRight, kRightReads = kRight | kOutput;
  static constexpr const char* kName = "div";
  template <class A, class B>
  auto value(const A& a, const B& b) const {
    return a / b;
  }
  template <class A, class B, class Y>
  auto by_left(const A&, const B& b, const Y&) const {
    return 1 / b;
  }
  template <class A, class B, class Y>
  auto by_right(const A&, const B& b, const Y& y) const {
    return -y / b;
  }
};

struct Negate {
  static constexpr unsigned kReads = kNothing;
  static constexpr const char* kName = "neg";
  template <class X>
  auto value(const X& x) const {
    return -x;
  }
  template <class X, class Y>
  MinusOne derivative(const X&, const Y&) const {
    return {};
  }
};

struct Exp {
  static constexpr unsigned kReads = kOutput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "exp";
  template <class X>
  HINDSIGHT_INLINE auto value(const X& x) const {
    return exp(x);
  }
  template <class X, class Y>
  Y derivative(const X&, const Y& y) const {
    return y;
  }
};

struct Log {
  static constexpr unsigned kReads = kInput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "log";
  template <class X>
  auto value(const X& x) const {
    return log(x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return 1 / x;
  }
};

struct Tanh {
  static constexpr unsigned kReads = kOutput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "tanh";
  template <class X>
  HINDSIGHT_INLINE auto value(const X& x) const {
    return tanh(x);
  }
  template <class X, class Y>
  auto derivative(const X&, const Y& y) const {
    return 1 - y * y;
  }
};

struct Sigmoid {
  static constexpr unsigned kReads = kOutput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "sigmoid";
  template <class X>
  HINDSIGHT_INLINE auto value(const X& x) const {
    return simd::sigmoid(x);
  }
  template <class X, class Y>
  auto derivative(const X&, const Y& y) const {
    return y - y * y;
  }
};

/// 1 where x > 0, 0.5 at 0, 0 below: the derivative of maximum where two arguments meet is shared.
struct Heaviside {
  static constexpr unsigned kReads = kNothing;
  static constexpr const char* kName = "heaviside";
  template <class X>
  auto value(const X& x) const {
    return select(x > X(0), X(1),
                  select(x < X(0), X(0), select(x == X(0), X(0.5), x)));  // NaN stays
  }
  template <class X, class Y>
  Zero derivative(const X&, const Y&) const {
    return {};
  }
};

/// 1 where x > 0, else 0.
struct Positive {
  static constexpr unsigned kReads = kNothing;
  static constexpr const char* kName = "positive";
  template <class X>
  auto value(const X& x) const {
    return select(x > X(0), X(1), X(0));
  }
  template <class X, class Y>
  Zero derivative(const X&, const Y&) const {
    return {};
  }
};

/// 1 where x is 0, else 0.
struct IsZero {
  static constexpr unsigned kReads = kNothing;
  static constexpr const char* kName = "is_zero";
  template <class X>
  auto value(const X& x) const {
    return select(x == X(0), X(1), X(0));
  }
  template <class X, class Y>
  Zero derivative(const X&, const Y&) const {
    return {};
  }
};

/// -1, 0 or 1.
struct Sign {
  static constexpr unsigned kReads = kNothing;
  static constexpr const char* kName = "sign";
  template <class X>
  auto value(const X& x) const {
    return select(x > X(0), X(1), select(x < X(0), X(-1), x));  // keeps 0 and NaN
  }
  template <class X, class Y>
  Zero derivative(const X&, const Y&) const {
    return {};
  }
};

struct Relu {
  static constexpr unsigned kReads = kOutput;
  static constexpr const char* kName = "relu";
  template <class X>
  auto value(const X& x) const {
    return select(x < X(0), X(0), x);
  }  // keeps NaN
  template <class X, class Y>
  auto derivative(const X&, const Y& y) const {
    return positive(y);
  }
};

struct Sqrt {
  static constexpr unsigned kReads = kOutput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "sqrt";
  template <class X>
  auto value(const X& x) const {
    return sqrt(x);
  }
  template <class X, class Y>
  auto derivative(const X&, const Y& y) const {
    return 0.5 / y;
  }
};

struct Square {
  static constexpr unsigned kReads = kInput;
  static constexpr const char* kName = "square";
  template <class X>
  auto value(const X& x) const {
    return x * x;
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return 2 * x;
  }
};

struct Abs {
  static constexpr unsigned kReads = kInput;
  static constexpr const char* kName = "abs";
  template <class X>
  auto value(const X& x) const {
    return abs(x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return sign(x);
  }
};

/// At a = 0 the formulas of the derivatives are 0 times infinity, by a for b = 0 and by b for
/// b >= 0. What is added to them there makes that factor finite: the slope is 0, as PyTorch has it.
struct Power {
  static constexpr unsigned kLeftReads = kLeft | kRight, kRightReads = kLeft | kOutput;
  static constexpr bool kSaved = true;
  static constexpr bool kPartial = true;  // there is no slope towards b where a < 0
  static constexpr const char* kName = "pow";
  template <class A, class B>
  auto value(const A& a, const B& b) const {
    return power(a, b);
  }
  template <class A, class B, class Y>
  auto by_left(const A& a, const B& b, const Y&) const {
    return b * power(a, b - 1 + is_zero(a) * is_zero(b));
  }
  template <class A, class B, class Y>
  auto by_right(const A& a, const B&, const Y& y) const {
    using std::log;  // a may be a plain number
    // At 0, y is 0 or 1; for b < 0 it is infinite, and so is the slope.
    return y * log(a + is_zero(a) * (1 - positive(y - 1)));
  }
};

struct Maximum {
  static constexpr unsigned kLeftReads = kLeft | kRight, kRightReads = kLeft | kRight;
  static constexpr const char* kName = "maximum";
  template <class A, class B>
  auto value(const A& a, const B& b) const {
    return select(a < b, b, select(b == b, a, b));
  }
  template <class A, class B, class Y>
  auto by_left(const A& a, const B& b, const Y&) const {
    return heaviside(a - b);
  }
  template <class A, class B, class Y>
  auto by_right(const A& a, const B& b, const Y&) const {
    return heaviside(b - a);
  }
};

struct Minimum {
  static constexpr unsigned kLeftReads = kLeft | kRight, kRightReads = kLeft | kRight;
  static constexpr const char* kName = "minimum";
  template <class A, class B>
  auto value(const A& a, const B& b) const {
    return select(b < a, b, select(b == b, a, b));
  }
  template <class A, class B, class Y>
  auto by_left(const A& a, const B& b, const Y&) const {
    return heaviside(b - a);
  }
  template <class A, class B, class Y>
  auto by_right(const A& a, const B& b, const Y&) const {
    return heaviside(a - b);
  }
};

}  // namespace functions
}  // namespace hindsight

/// Where a derivative calls a function of ours on vector registers.
namespace xsimd {
template <class T, class A>
batch<T, A> positive(const batch<T, A>& x) {
  return hindsight::functions::Positive{}.value(x);
}
template <class T, class A>
batch<T, A> heaviside(const batch<T, A>& x) {
  return hindsight::functions::Heaviside{}.value(x);
}
template <class T, class A>
batch<T, A> is_zero(const batch<T, A>& x) {
  return hindsight::functions::IsZero{}.value(x);
}
template <class T, class A>
batch<T, A> sigmoid(const batch<T, A>& x) {
  return hindsight::functions::Sigmoid{}.value(x);
}
/// pow as IEEE 754 has it, and its accuracy for float: exp(b log a) multiplies the rounding of the
/// logarithm by b, so it is in double.
template <class T, class A>
batch<T, A> power(const batch<T, A>& base, const batch<T, A>& exponent) {
  return hindsight::simd::in_double(base, exponent, [](const auto& a, const auto& b) {
    using B = std::decay_t<decltype(a)>;
    const B size = abs(a), infinity(std::numeric_limits<double>::infinity());
    const auto whole = floor(b) == b;  // infinities, too
    const B half = 0.5 * b;
    const B sign = select(whole && floor(half) != half, bitofsign(a), B(0));
    const B magnitude = select(b == B(0) || size == B(1), B(1), exp(b * log(size)));
    const auto invalid = a < B(0) && size != infinity && !whole;
    return select(invalid, B(std::numeric_limits<double>::quiet_NaN()), magnitude | sign);
  });
}
}  // namespace xsimd
