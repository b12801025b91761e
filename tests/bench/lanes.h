#pragma once
#include <hindsight/autograd/tensor/simd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

/// Vectors of numbers for the hand-written loops: row tails without scalar code, and sigmoid and
/// tanh.
namespace hindsight::bench {

template <class T>
using Wide = xsimd::batch<T>;

// Cores with AVX-512 on a 256-bit datapath execute each half, so a short tail takes half a vector.
#ifdef __AVX512VL__
template <class T>
using Half = xsimd::batch<T, xsimd::fma3<xsimd::avx2>>;
#else
template <class T>
using Half = Wide<T>;
#endif

/// All lanes are used.
template <class V>
struct AllLanes {
  using Vector = V;
  using T = typename V::value_type;
  V load(const T* from) const { return V::load_unaligned(from); }
  V load_or(const T* from, const V&) const { return V::load_unaligned(from); }
  void store(T* to, const V& value) const { value.store_unaligned(to); }
};

/// The first `count` lanes are used; the others load as zero (or as `other`) and are not stored.
template <class V>
struct SomeLanes {
  using Vector = V;
  using T = typename V::value_type;
  std::size_t count;

  V load(const T* from) const { return load_or(from, V(T(0))); }
  V load_or(const T* from, const V& other) const {
    T lanes[V::size];
    other.store_unaligned(lanes);
    std::memcpy(lanes, from, count * sizeof(T));
    return V::load_unaligned(lanes);
  }
  void store(T* to, const V& value) const {
    T lanes[V::size];
    value.store_unaligned(lanes);
    std::memcpy(to, lanes, count * sizeof(T));
  }
};

#ifdef __AVX512VL__
template <>
struct SomeLanes<Wide<float>> {
  using Vector = Wide<float>;
  __mmask16 mask;
  explicit SomeLanes(std::size_t count) : mask(static_cast<__mmask16>((1u << count) - 1)) {}
  Vector load(const float* from) const { return Vector(_mm512_maskz_loadu_ps(mask, from)); }
  Vector load_or(const float* from, const Vector& other) const {
    return Vector(_mm512_mask_loadu_ps(other, mask, from));
  }
  void store(float* to, const Vector& value) const { _mm512_mask_storeu_ps(to, mask, value); }
};
template <>
struct SomeLanes<Half<float>> {
  using Vector = Half<float>;
  __mmask8 mask;
  explicit SomeLanes(std::size_t count) : mask(static_cast<__mmask8>((1u << count) - 1)) {}
  Vector load(const float* from) const { return Vector(_mm256_maskz_loadu_ps(mask, from)); }
  Vector load_or(const float* from, const Vector& other) const {
    return Vector(_mm256_mask_loadu_ps(other, mask, from));
  }
  void store(float* to, const Vector& value) const { _mm256_mask_storeu_ps(to, mask, value); }
};
#endif

/// As for_vectors, but never half a vector: for reductions that stay in one register.
template <class T, class Body>
inline void for_wide_vectors(std::int64_t n, const Body& body) {
  constexpr auto width = static_cast<std::int64_t>(Wide<T>::size);
  std::int64_t j = 0;
  for (; j + width <= n; j += width) body(AllLanes<Wide<T>>{}, j);
  if (j < n) body(SomeLanes<Wide<T>>{static_cast<std::size_t>(n - j)}, j);
}

template <class V>
inline typename V::value_type sum_of_lanes(const V& vector) {
  using T = typename V::value_type;
  T lanes[V::size];
  vector.store_unaligned(lanes);
  for (std::size_t half = V::size / 2; half > 0; half /= 2) {
    for (std::size_t k = 0; k < half; ++k) lanes[k] += lanes[k + half];
  }
  return lanes[0];
}

template <class V>
inline typename V::value_type highest_lane(const V& vector) {
  using T = typename V::value_type;
  T lanes[V::size];
  vector.store_unaligned(lanes);
  for (std::size_t half = V::size / 2; half > 0; half /= 2) {
    for (std::size_t k = 0; k < half; ++k) lanes[k] = std::max(lanes[k], lanes[k + half]);
  }
  return lanes[0];
}

/// Prefetches a cache line that will be read soon; the address need not be valid.
inline void prefetch(const void* address) {
#if defined(__GNUC__)
  __builtin_prefetch(address, 0, 2);
#else
  (void)address;
#endif
}

/// Calls body(lanes, j) for j = 0, w, 2 w ... until n elements are covered.
template <class T, class Body>
inline void for_vectors(std::int64_t n, const Body& body) {
  constexpr auto width = static_cast<std::int64_t>(Wide<T>::size);
  std::int64_t j = 0;
  for (; j + width <= n; j += width) body(AllLanes<Wide<T>>{}, j);
  const auto rest = static_cast<std::size_t>(n - j);
  if (rest == 0) return;
  if (rest <= Half<T>::size) {
    body(SomeLanes<Half<T>>{rest}, j);
  } else {
    body(SomeLanes<Wide<T>>{rest}, j);
  }
}

// ---- exp, sigmoid, tanh: in float within 4 ulp for |x| < 2^20, without branches ----

/// 2^n for integer n, which may leave the range of a float.
template <class V>
inline V power_of_two(const V& n) {
#ifdef __AVX512VL__
  if constexpr (V::size == 16) {
    return V(_mm512_scalef_ps(_mm512_set1_ps(1.0f), n));
  } else {
    return V(_mm256_scalef_ps(_mm256_set1_ps(1.0f), n));
  }
#else
  // Adding 1.5 * 2^23 + 127 leaves the biased exponent in the low mantissa bits.
  const V held = xsimd::min(xsimd::max(n, V(-126.0f)), V(127.0f)) + V(12583039.0f);
  return simd::reinterpret<float>(simd::reinterpret<std::int32_t>(held) << 23);
#endif
}

/// e^x = power * (1 + rest) with power a power of two and |rest| < 0.42. float only.
template <class V>
struct SplitExp {
  V power, rest;
};

template <class V>
inline SplitExp<V> split_exp(const V& x) {
  const V shifter(12582912.0f);  // 1.5 * 2^23: adding it rounds to an integer
  const V n = xsimd::fma(x, V(1.44269504f), shifter) - shifter;
  const V r = xsimd::fma(n, V(-0.693147182f), x);  // the product is exact: off by 2e-9 n
  // (e^r - 1) / r on |r| <= ln 2 / 2: least squares on Chebyshev points, off by 1e-8
  V q(0.00139411632f);
  q = xsimd::fma(q, r, V(0.00836918689f));
  q = xsimd::fma(q, r, V(0.0416663524f));
  q = xsimd::fma(q, r, V(0.166665049f));
  q = xsimd::fma(q, r, V(0.5f));
  q = xsimd::fma(q, r, V(1.0f));
  return {power_of_two(n), q * r};
}

template <class V>
inline V exponential(const V& x) {
  if constexpr (std::is_same_v<typename V::value_type, float>) {
    const auto e = split_exp(xsimd::max(x, V(-1e4f)));  // softmax asks for e^lowest
    return xsimd::fma(e.power, e.rest, e.power);
  } else {
    return xsimd::exp(x);
  }
}

template <class V>
inline V sigmoid(const V& x) {
  const V one(1);
  if constexpr (std::is_same_v<typename V::value_type, float>) {
    const auto e = split_exp(-x);
    // A division runs in parallel to the multiplications: it costs less than an estimate with a
    // Newton step.
    return one / (one + xsimd::fma(e.power, e.rest, e.power));
  } else {
    return one / (one + xsimd::exp(-x));
  }
}

/// (e^2x - 1) / (e^2x + 1), with e^2x - 1 formed without cancellation.
template <class V>
inline V tanh_of(const V& x) {
  if constexpr (std::is_same_v<typename V::value_type, float>) {
    const auto e = split_exp(xsimd::min(x + x, V(20.0f)));  // tanh 10 rounds to 1
    const V m = xsimd::fma(e.power, e.rest, e.power - V(1.0f));
    return m / (m + V(2.0f));
  } else {
    return xsimd::tanh(x);
  }
}

}  // namespace hindsight::bench
