#pragma once
#include <hindsight/autograd/elementwise/functions.h>

/// Numbers with a tangent, in vector registers: a function's derivative evaluated on them also
/// yields its change along the tangents, by the function's second derivative.
namespace hindsight::detail {

/// value + e tangent, where e^2 = 0.
template <class T>
struct Dual {
  simd::Batch<T> value, tangent;
};

template <class T>
HINDSIGHT_INLINE const simd::Batch<T>& plain(const Dual<T>& number) {
  return number.value;
}
template <class T>
HINDSIGHT_INLINE simd::Batch<T>& plain(Dual<T>& number) {
  return number.value;
}

template <class X>
constexpr bool is_dual = false;
template <class T>
inline constexpr bool is_dual<Dual<T>> = true;

/// Converts a function's parameter for use in a formula with dual numbers.
template <class T>
T number(const Dual<T>&, double value) {
  return static_cast<T>(value);
}

/// Operands without a tangent: a register or a plain number.
template <class T, class C>
using require_constant =
    std::enable_if_t<std::is_arithmetic_v<C> || std::is_same_v<C, simd::Batch<T>>>;

template <class T, class C>
HINDSIGHT_INLINE simd::Batch<T> constant(const C& c) {
  if constexpr (std::is_arithmetic_v<C>) {
    return simd::Batch<T>(static_cast<T>(c));
  } else {
    return c;
  }
}

/// What operand `I` of `N` contributes to the tangent of f's value: zero where the operand's
/// tangent is zero, even if f has no slope with respect to it there (kPartial).
template <class F, int I, int N, class B, class Slope>
HINDSIGHT_INLINE auto along(const B& tangent, const Slope& slope) {
  if constexpr ((reads<F, I, N> & kPartial) != 0) {
    return xsimd::select(tangent == B(0), B(0), B(tangent * slope));
  } else {
    return tangent * slope;
  }
}

/// Applies f to dual numbers; a constant if f's derivative is Zero.
template <class F, class T>
HINDSIGHT_INLINE auto lift(const F& f, const Dual<T>& x) {
  const simd::Batch<T> y = f.value(x.value);
  const auto slope = f.derivative(x.value, y);
  if constexpr (std::is_same_v<std::decay_t<decltype(slope)>, Zero>) {
    return y;
  } else {
    return Dual<T>{y, x.tangent * slope};
  }
}
template <class F, class T>
HINDSIGHT_INLINE auto lift(const F& f, const Dual<T>& a, const Dual<T>& b) {
  const simd::Batch<T> y = f.value(a.value, b.value);
  return Dual<T>{y, along<F, 0, 2>(a.tangent, f.by_left(a.value, b.value, y)) +
                        along<F, 1, 2>(b.tangent, f.by_right(a.value, b.value, y))};
}
template <class F, class T, class C, class = require_constant<T, C>>
HINDSIGHT_INLINE auto lift(const F& f, const Dual<T>& a, const C& c) {
  const simd::Batch<T> b = constant<T>(c), y = f.value(a.value, b);
  return Dual<T>{y, along<F, 0, 2>(a.tangent, f.by_left(a.value, b, y))};
}
template <class F, class T, class C, class = require_constant<T, C>>
HINDSIGHT_INLINE auto lift(const F& f, const C& c, const Dual<T>& b) {
  const simd::Batch<T> a = constant<T>(c), y = f.value(a, b.value);
  return Dual<T>{y, along<F, 1, 2>(b.tangent, f.by_right(a, b.value, y))};
}

#define HINDSIGHT_UNARY_ROW(kind, function, text, Struct, formula, by_x, reads, saved) \
  template <class T>                                                                   \
  HINDSIGHT_INLINE auto function(const Dual<T>& x) {                                   \
    return lift(hindsight::functions::Struct{}, x);                                    \
  }
#define HINDSIGHT_BINARY_ROW(kind, function, text, Struct, formula, by_a, by_b, reads_a, reads_b, \
                             saved)                                                               \
  template <class T>                                                                              \
  HINDSIGHT_INLINE auto function(const Dual<T>& a, const Dual<T>& b) {                            \
    return lift(hindsight::functions::Struct{}, a, b);                                            \
  }                                                                                               \
  template <class T, class C, class = require_constant<T, C>>                                     \
  HINDSIGHT_INLINE auto function(const Dual<T>& a, const C& b) {                                  \
    return lift(hindsight::functions::Struct{}, a, b);                                            \
  }                                                                                               \
  template <class T, class C, class = require_constant<T, C>>                                     \
  HINDSIGHT_INLINE auto function(const C& a, const Dual<T>& b) {                                  \
    return lift(hindsight::functions::Struct{}, a, b);                                            \
  }
#include <hindsight/autograd/elementwise/function_table.inc>

}  // namespace hindsight::detail
