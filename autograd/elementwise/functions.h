#pragma once
#include <hindsight/autograd/tensor/simd_math.h>

#include <cmath>
#include <limits>
#include <type_traits>

/// Scalar functions: each is its value and its derivative, nothing else. The value is written for
/// vector registers; the derivative once for these, for Variables (where it is recorded and can be
/// differentiated again), for dual numbers and for plain numbers (such as a factor of 2).
///
/// A unary function has value(x) and derivative(x, y) with y = value(x); a binary one has
/// value(a, b), by_left(a, b, y) and by_right(a, b, y). `kReads` (`kLeftReads`, `kRightReads`) says
/// what a derivative reads, by default everything. A value that no derivative reads need not stay
/// in memory, and is passed as Unused. `kSaved` marks values that are saved rather than recomputed.
///
/// Those without parameters are rows of function_table.inc.
namespace hindsight {

/// What a derivative reads; combine with |. kPartial says that the slope with respect to this
/// operand is undefined at some points, so that it counts only where the operand's tangent is not
/// zero.
enum Reads : unsigned {
  kNothing = 0,
  kInput = 1,
  kLeft = 1,
  kRight = 2,
  kOutput = 4,
  kAll = 7,
  kPartial = 8
};

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

/// Passed to a derivative instead of a value that its `kReads` does not name.
struct Unused {};

/// For plain numbers in derivatives.
inline double is_zero(double x) { return x == 0 ? 1 : 0; }

/// Converts a function's parameter for use in a formula; for registers, to their element type.
template <class X>
double number(const X&, double value) {
  return value;
}
template <class T, class A>
T number(const xsimd::batch<T, A>&, double value) {
  return static_cast<T>(value);
}

namespace detail {

template <class F, class = void>
constexpr bool is_saved = false;
template <class F>
inline constexpr bool is_saved<F, std::void_t<decltype(F::kSaved)>> = F::kSaved;

/// What the derivative with respect to child `I` of `N` reads.
template <class F, int I, int N, class = void>
constexpr unsigned reads = kAll;
template <class F>
inline constexpr unsigned reads<F, 0, 1, std::void_t<decltype(F::kReads)>> = F::kReads;
template <class F>
inline constexpr unsigned reads<F, 0, 2, std::void_t<decltype(F::kLeftReads)>> = F::kLeftReads;
template <class F>
inline constexpr unsigned reads<F, 1, 2, std::void_t<decltype(F::kRightReads)>> = F::kRightReads;

}  // namespace detail

namespace functions {

constexpr bool kSave = true, kRecompute = false;
constexpr double kTwoOverRootPi = 1.12837916709551257390;
using simd::kRootHalf;

/// x within [low, high]; NaN stays.
template <class X>
HINDSIGHT_INLINE X limited(const X& x, double low, double high) {
  const X l(number(x, low)), h(number(x, high));
  return select(x < l, l, select(x > h, h, x));
}

/// log(exp(a) + exp(b)), in double because its two terms cancel where the probabilities sum to 1.
template <class X>
HINDSIGHT_INLINE X log_of_sum(const X& a, const X& b) {
  return simd::in_double(a, b, [](const auto& l, const auto& r) {
    using B = std::decay_t<decltype(l)>;
    const B gap = select(l == r, B(0), l - r), top = select(l < r, r, select(r == r, l, r));
    return top + log1p(exp(-abs(gap)));
  });
}

#define HINDSIGHT_UNARY_ROW(kind, function, text, Struct, formula, by_x, reads, saved) \
  struct Struct {                                                                      \
    static constexpr unsigned kReads = reads;                                          \
    static constexpr bool kSaved = saved;                                              \
    static constexpr const char* kName = text;                                         \
    template <class X>                                                                 \
    HINDSIGHT_INLINE auto value(const X& x) const {                                    \
      return formula;                                                                  \
    }                                                                                  \
    template <class X, class Y>                                                        \
    auto derivative(const X& x, const Y& y) const {                                    \
      (void)x, (void)y;                                                                \
      return by_x;                                                                     \
    }                                                                                  \
  };
#define HINDSIGHT_BINARY_ROW(kind, function, text, Struct, formula, by_a, by_b, reads_a, reads_b, \
                             saved)                                                               \
  struct Struct {                                                                                 \
    static constexpr unsigned kLeftReads = reads_a, kRightReads = reads_b;                        \
    static constexpr bool kSaved = saved;                                                         \
    static constexpr const char* kName = text;                                                    \
    template <class X, class B>                                                                   \
    HINDSIGHT_INLINE auto value(const X& a, const B& b) const {                                   \
      return formula;                                                                             \
    }                                                                                             \
    template <class A, class B, class Y>                                                          \
    auto by_left(const A& a, const B& b, const Y& y) const {                                      \
      (void)a, (void)b, (void)y;                                                                  \
      return by_a;                                                                                \
    }                                                                                             \
    template <class A, class B, class Y>                                                          \
    auto by_right(const A& a, const B& b, const Y& y) const {                                     \
      (void)a, (void)b, (void)y;                                                                  \
      return by_b;                                                                                \
    }                                                                                             \
  };
#include <hindsight/autograd/elementwise/function_table.inc>

/// The sum of the two halves of `where`, named for messages.
struct Where : Add {
  static constexpr const char* kName = "where";
};

/// x above 0, alpha (exp(x) - 1) below (Clevert et al. 2015, arXiv 1511.07289).
struct Elu {
  static constexpr unsigned kReads = kInput | kOutput;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "elu";
  double alpha;
  template <class X>
  auto value(const X& x) const {
    return select(x > X(0), x, number(x, alpha) * expm1(x));
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y& y) const {
    return positive(x) + masked(1 - positive(x), y + number(x, alpha));
  }
};

/// x above 0, slope x below.
struct LeakyRelu {
  static constexpr unsigned kReads = kInput;
  static constexpr const char* kName = "leaky_relu";
  double slope;
  template <class X>
  auto value(const X& x) const {
    return select(x > X(0), x, number(x, slope) * x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return number(x, slope) + number(x, 1 - slope) * positive(x);
  }
};

/// x limited to [low, high]. The slope is 1 there, ends included, and 0 outside.
struct Clamp {
  static constexpr unsigned kReads = kInput;
  static constexpr const char* kName = "clamp";
  double low, high;
  template <class X>
  auto value(const X& x) const {
    return limited(x, low, high);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return (1 - positive(number(x, low) - x)) * (1 - positive(x - number(x, high)));
  }
};

/// The same with slope 0 at the ends too.
struct HardTanh {
  static constexpr unsigned kReads = kInput;
  static constexpr const char* kName = "hardtanh";
  double low, high;
  template <class X>
  auto value(const X& x) const {
    return limited(x, low, high);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return positive(x - number(x, low)) * positive(number(x, high) - x);
  }
};

}  // namespace functions
}  // namespace hindsight

/// Functions that derivatives call on vector registers but that xsimd lacks.
namespace xsimd {
#define HINDSIGHT_REGISTER_UNARY_XSIMD(function, Struct)
#define HINDSIGHT_REGISTER_UNARY_NEW(function, Struct)          \
  template <class T, class A>                                   \
  HINDSIGHT_INLINE batch<T, A> function(const batch<T, A>& x) { \
    return hindsight::functions::Struct{}.value(x);             \
  }
#define HINDSIGHT_REGISTER_BINARY_XSIMD(function, Struct)
#define HINDSIGHT_REGISTER_BINARY_NEW(function, Struct)                               \
  template <class T, class A>                                                         \
  HINDSIGHT_INLINE batch<T, A> function(const batch<T, A>& a, const batch<T, A>& b) { \
    return hindsight::functions::Struct{}.value(a, b);                                \
  }
#define HINDSIGHT_UNARY_ROW(kind, function, text, Struct, formula, by_x, reads, saved) \
  HINDSIGHT_REGISTER_UNARY_##kind(function, Struct)
#define HINDSIGHT_BINARY_ROW(kind, function, text, Struct, formula, by_a, by_b, reads_a, reads_b, \
                             saved)                                                               \
  HINDSIGHT_REGISTER_BINARY_##kind(function, Struct)
#include <hindsight/autograd/elementwise/function_table.inc>
#undef HINDSIGHT_REGISTER_UNARY_XSIMD
#undef HINDSIGHT_REGISTER_UNARY_NEW
#undef HINDSIGHT_REGISTER_BINARY_XSIMD
#undef HINDSIGHT_REGISTER_BINARY_NEW
}  // namespace xsimd
