#pragma once
#include <hindsight/autograd/tensor/simd.h>

#include <cstdint>
#include <iterator>
#include <type_traits>

/// exp and its relatives for vector registers, over the whole range: xsimd's exp of a float is
/// infinite from 88.38 on, although exp(88.7) is still finite, and has no denormal results.
///
/// exp(x) = 2^n (1 + s), where n = round(x / log 2) and 1 + s = exp(r) for the remainder
/// r = x - n log 2, |r| < 0.35. Adding 1.5 * 2^23 to x / log 2 rounds it to the integer n, held in
/// the low mantissa bits; a shift moves n into the exponent. The constant includes the bias.
namespace hindsight::simd {

/// The constants for an element type: log 2 in two parts, so that n times the first is exact, and
/// the minimax polynomial q of s = r + r^2 q(r), with an error relative to exp(r) of at most 2^-28
/// (float) or 2^-57 (double).
template <class T>
struct ExpConstants;
template <>
struct ExpConstants<float> {
  using Integer = std::int32_t;
  static constexpr int kMantissaBits = 23;
  static constexpr float kBias = 127, kRounder = 0x1.8p23f;
  static constexpr float kLog2High = 0.693359375f, kLog2Low = -2.12194440e-4f;
  static constexpr float kLow = -104.5f, kHigh = 89;  // exp is 0 below and infinite above
  static constexpr float kQ[] = {0.499999933345f, 0.166665189411f, 0.041668407556f,
                                 0.00836892164819f, 0.0013814202429f};
};
template <>
struct ExpConstants<double> {
  using Integer = std::int64_t;
  static constexpr int kMantissaBits = 52;
  static constexpr double kBias = 1023, kRounder = 0x1.8p52;
  static constexpr double kLog2High = 6.93147180369123816490e-01,
                          kLog2Low = 1.90821492927058770002e-10;
  static constexpr double kLow = -745.5, kHigh = 710;
  static constexpr double kQ[] = {
      0x1.000000000000ap-1,  0x1.55555555554f7p-3,  0x1.55555555506c0p-5,  0x1.111111112845cp-7,
      0x1.6c16c18492a9ap-10, 0x1.a01a012842ed4p-13, 0x1.a01998e03ffb2p-16, 0x1.71df2828550bep-19,
      0x1.28ae9552066a6p-22, 0x1.ad7dde24defccp-26};
};
constexpr double kLog2E = 1.44269504088896340736;

/// x clamped to [low, high]. NaN stays NaN: the processor's min and max return their second operand
/// when one is NaN.
template <class T>
HINDSIGHT_INLINE Batch<T> within(const Batch<T>& x, T low, T high) {
  return xsimd::max(Batch<T>(low), xsimd::min(Batch<T>(high), x));
}

/// The bits of x as an integer.
template <class T>
HINDSIGHT_INLINE auto bits(const Batch<T>& x) {
  return reinterpret<typename ExpConstants<T>::Integer>(x);
}
/// The power of two whose exponent is the low bits of `biased`.
template <class T, class I>
HINDSIGHT_INLINE Batch<T> to_exponent(const I& biased) {
  return reinterpret<T>(biased << ExpConstants<T>::kMantissaBits);
}

/// s = exp(r) - 1 of a remainder. Two terms at a time, which shortens the dependency chain.
template <class T>
HINDSIGHT_INLINE Batch<T> expm1_of_rest(const Batch<T>& r) {
  using B = Batch<T>;
  constexpr const auto& q = ExpConstants<T>::kQ;
  constexpr int kTerms = static_cast<int>(std::size(q));
  const B square = r * r;
  B sum(q[kTerms - 1]);
  int i = kTerms - 2;
  if constexpr (kTerms % 2 == 0) sum = xsimd::fma(sum, r, B(q[i--]));
  for (; i > 0; i -= 2) sum = xsimd::fma(sum, square, xsimd::fma(B(q[i]), r, B(q[i - 1])));
  return xsimd::fma(sum, square, r);
}
template <class T>
HINDSIGHT_INLINE Batch<T> rest(const Batch<T>& x, const Batch<T>& n) {
  using C = ExpConstants<T>;
  return xsimd::fnma(n, Batch<T>(C::kLog2Low), xsimd::fnma(n, Batch<T>(C::kLog2High), x));
}

/// n, 2^(n + shift) and s of x. 2^(n + shift) must be a normal number.
template <class T>
struct Split {
  Batch<T> n, power, s;
  HINDSIGHT_INLINE Split(const Batch<T>& x, T shift) {
    using C = ExpConstants<T>;
    const Batch<T> rounder(C::kRounder + C::kBias + shift);
    const Batch<T> sum = xsimd::fma(x, Batch<T>(static_cast<T>(kLog2E)), rounder);
    n = sum - rounder;
    power = to_exponent<T>(bits(sum));
    s = expm1_of_rest(rest(x, n));
  }
};

#if defined(__AVX512DQ__)
constexpr int kLesserMagnitude = 6;  // selects it, with its sign; a number rather than NaN
HINDSIGHT_INLINE Batch<float> lesser(const Batch<float>& a, const Batch<float>& b) {
  return _mm512_range_ps(a, b, kLesserMagnitude);
}
HINDSIGHT_INLINE Batch<double> lesser(const Batch<double>& a, const Batch<double>& b) {
  return _mm512_range_pd(a, b, kLesserMagnitude);
}
HINDSIGHT_INLINE Batch<float> scale(const Batch<float>& x, const Batch<float>& n) {
  return _mm512_scalef_ps(x, n);
}
HINDSIGHT_INLINE Batch<double> scale(const Batch<double>& x, const Batch<double>& n) {
  return _mm512_scalef_pd(x, n);
}

/// exp(x). AVX-512 scales by 2^n for every n; only the remainder must be kept finite.
template <class T>
HINDSIGHT_INLINE Batch<T> exponential(const Batch<T>& x) {
  const Batch<T> n = xsimd::nearbyint(x * Batch<T>(static_cast<T>(kLog2E)));
  const Batch<T> r = lesser(Batch<T>(T(0.5)), rest(x, n));
  return scale(expm1_of_rest(r) + Batch<T>(T(1)), n);
}
#else
/// exp(x). No normal power of two covers the range from denormal numbers to infinity, so 2^n is
/// computed as the product of two powers with exponents of about n / 2.
template <class T>
HINDSIGHT_INLINE Batch<T> exponential(const Batch<T>& any) {
  using B = Batch<T>;
  using C = ExpConstants<T>;
  const B x = within(any, C::kLow, C::kHigh), rounder(C::kRounder);
  const B sum = xsimd::fma(x, B(static_cast<T>(kLog2E)), rounder);
  const B half = xsimd::fma(x, B(static_cast<T>(kLog2E / 2)), B(C::kRounder + C::kBias));
  const B s = expm1_of_rest(rest(x, sum - rounder));
  using Integers = decltype(bits(sum));
  const auto both = Integers(static_cast<typename C::Integer>(2 * C::kBias));
  const B other = to_exponent<T>(bits(sum) - bits(half) + both);
  return xsimd::fma(s, other, other) * to_exponent<T>(bits(half));
}
#endif

/// exp(x) - 1 = 2 (2^(n-1) s + (2^(n-1) - 1/2)), whose terms are finite wherever the result is.
template <class T>
HINDSIGHT_INLINE Batch<T> exponential_minus_one(const Batch<T>& x) {
  using B = Batch<T>;
  constexpr T kMinusOneBelow = -60;
  const Split<T> e(within(x, kMinusOneBelow, ExpConstants<T>::kHigh), T(-1));
  const B half = xsimd::fma(e.s, e.power, e.power - B(T(0.5)));
  return xsimd::select(e.n == B(T(0)), e.s, half + half);  // s alone is exact for denormal x
}

/// tanh(x) = (1 - e) / (1 + e) with e = exp(-2 |x|), with the sign of x. Computing 1 - e as
/// 1 - 2^n - 2^n s avoids cancellation.
template <class T>
HINDSIGHT_INLINE Batch<T> hyperbolic_tangent(const Batch<T>& x) {
  using B = Batch<T>;
  constexpr T kOneBelow = -60;
  const Split<T> e(xsimd::max(B(kOneBelow), xsimd::abs(x) * B(T(-2))), T(0));
  const B one(T(1));
  const B y = xsimd::fnma(e.s, e.power, one - e.power) / xsimd::fma(e.s, e.power, one + e.power);
  return y | xsimd::bitofsign(x);
}

/// sigmoid(x) = 1 / (1 + exp(-x)) = q / (q + 1 + s) with exp(-x) = (1 + s) / q. Numerator and
/// denominator are scaled by 2^kScaled, so that q is normal where the quotient is denormal. The
/// order of the sum q + 1 + s matters: s is first added to min(q, 1/2), as other orders round by
/// more than 2 units in the last place somewhere.
template <class T>
struct Logistic {
  static constexpr int kScaled = std::is_same_v<T, float> ? 48 : 128;
  static constexpr T kOne = std::is_same_v<T, float> ? T(0x1p48) : T(0x1p128);
  // Below, sigmoid(x) and x sigmoid(x) are 0.
  static constexpr T kZeroBelow = std::is_same_v<T, float> ? -110 : -755;
  static constexpr T kOneFrom = 40;  // sigmoid(40) rounds to 1 in double as well
  Batch<T> numerator, denominator;

  explicit HINDSIGHT_INLINE Logistic(const Batch<T>& any) {
    using B = Batch<T>;
    using C = ExpConstants<T>;
    const B x = within(any, kZeroBelow, kOneFrom), rounder(C::kRounder + C::kBias + kScaled);
    const B sum = xsimd::fma(x, B(static_cast<T>(kLog2E)), rounder), n = sum - rounder;
    numerator = to_exponent<T>(bits(sum));
    const B minus_rest = xsimd::fma(n, B(C::kLog2Low), xsimd::fms(n, B(C::kLog2High), x));
    const B half = xsimd::min(numerator, B(kOne / 2));
    denominator = xsimd::max(B(kOne), numerator + B(kOne / 2)) +
                  xsimd::fma(expm1_of_rest(minus_rest), B(kOne), half);
  }
};

template <class T>
HINDSIGHT_INLINE Batch<T> sigmoid(const Batch<T>& x) {
  const Logistic<T> l(x);
  return l.numerator / l.denominator;
}

/// x sigmoid(x); 0 for -infinity. x 2^n is exact where it does not overflow.
template <class T>
HINDSIGHT_INLINE Batch<T> silu(const Batch<T>& x) {
  const Logistic<T> l(x);
  const Batch<T> bounded = xsimd::max(Batch<T>(Logistic<T>::kZeroBelow), x);
  const Batch<T> y = bounded * l.numerator / l.denominator;
  return xsimd::select(x > Batch<T>(Logistic<T>::kOneFrom), x, y);
}

constexpr double kRootHalf = 0.70710678118654752440;

/// xsimd's erf is 2.4 units in the last place off in float, its erfc 66: so in double.
template <class T>
HINDSIGHT_INLINE Batch<T> erf(const Batch<T>& x) {
  return in_double(x, [](const auto& wide) { return xsimd::erf(wide); });
}
template <class T>
HINDSIGHT_INLINE Batch<T> erfc(const Batch<T>& x) {
  return in_double(x, [](const auto& wide) { return xsimd::erfc(wide); });
}

/// x P(normal <= x) = x erfc(-x / sqrt(2)) / 2. For negative x 1 + erf(...) would cancel, and
/// float's rounding of x / sqrt(2) would show: so in double.
template <class T>
HINDSIGHT_INLINE Batch<T> gelu(const Batch<T>& x) {
  return in_double(x, [](const auto& wide) { return 0.5 * wide * xsimd::erfc(-kRootHalf * wide); });
}

/// pow as IEEE 754 has it, and its accuracy for float: exp(b log a) multiplies the rounding of the
/// logarithm by b, so it is in double.
template <class T>
Batch<T> power(const Batch<T>& base, const Batch<T>& exponent) {
  return in_double(base, exponent, [](const auto& a, const auto& b) {
    using B = std::decay_t<decltype(a)>;
    const B size = xsimd::abs(a), infinity(std::numeric_limits<double>::infinity());
    const auto whole = xsimd::floor(b) == b;  // infinities, too
    const B half = 0.5 * b;
    const B sign = xsimd::select(whole && xsimd::floor(half) != half, xsimd::bitofsign(a), B(0));
    const B magnitude =
        xsimd::select(b == B(0) || size == B(1), B(1), exponential<double>(b * xsimd::log(size)));
    const auto invalid = a < B(0) && size != infinity && !whole;
    return xsimd::select(invalid, B(std::numeric_limits<double>::quiet_NaN()), magnitude | sign);
  });
}

}  // namespace hindsight::simd

/// Overloads for registers; an exact match beats xsimd's templates.
namespace xsimd {
HINDSIGHT_INLINE batch<float> exp(const batch<float>& x) {
  return hindsight::simd::exponential<float>(x);
}
HINDSIGHT_INLINE batch<double> exp(const batch<double>& x) {
  return hindsight::simd::exponential<double>(x);
}
HINDSIGHT_INLINE batch<float> expm1(const batch<float>& x) {
  return hindsight::simd::exponential_minus_one<float>(x);
}
HINDSIGHT_INLINE batch<double> expm1(const batch<double>& x) {
  return hindsight::simd::exponential_minus_one<double>(x);
}
HINDSIGHT_INLINE batch<float> tanh(const batch<float>& x) {
  return hindsight::simd::hyperbolic_tangent<float>(x);
}
HINDSIGHT_INLINE batch<double> tanh(const batch<double>& x) {
  return hindsight::simd::hyperbolic_tangent<double>(x);
}
inline batch<float> pow(const batch<float>& a, const batch<float>& b) {
  return hindsight::simd::power<float>(a, b);
}
inline batch<double> pow(const batch<double>& a, const batch<double>& b) {
  return hindsight::simd::power<double>(a, b);
}
}  // namespace xsimd
