#pragma once
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push  // GCC 12 warns about its own AVX-512 header
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#if defined(__GNUC__) && !defined(__clang__) && !defined(__OPTIMIZE__) && defined(__AVX512BW__)
// Without optimisation, GCC defines these two as macros, whose casts reject xsimd's batches.
#include <immintrin.h>
#undef _mm512_mask_blend_epi8
#undef _mm512_mask_blend_epi16
inline __m512i _mm512_mask_blend_epi8(__mmask64 mask, __m512i a, __m512i b) {
  return _mm512_mask_mov_epi8(a, mask, b);
}
inline __m512i _mm512_mask_blend_epi16(__mmask32 mask, __m512i a, __m512i b) {
  return _mm512_mask_mov_epi16(a, mask, b);
}
#endif
#include <xsimd/xsimd.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <hindsight/autograd/tensor/layout.h>

#include <cstring>

/// For functions within loops over registers, which a call would pass through memory.
#define HINDSIGHT_INLINE inline __attribute__((always_inline))

/// Vector registers: xsimd's, and what it lacks.
namespace hindsight::simd {

template <class T>
using Batch = xsimd::batch<T>;

template <class T>
constexpr Size kWidth = static_cast<Size>(Batch<T>::size);

/// The bits of x as numbers of another type of the same size. Before version 11, xsimd expects the
/// type of the register instead of that of its elements.
template <class To, class From, class Arch>
HINDSIGHT_INLINE auto reinterpret(const xsimd::batch<From, Arch>& x) {
#if XSIMD_VERSION_MAJOR < 11
  return xsimd::bitwise_cast<xsimd::batch<To, Arch>>(x);
#else
  return xsimd::bitwise_cast<To>(x);
#endif
}

/// The sum of the lanes, under another name in version 8 of xsimd.
template <class T>
HINDSIGHT_INLINE T sum(const Batch<T>& x) {
#if XSIMD_VERSION_MAJOR < 9
  return xsimd::hadd(x);
#else
  return xsimd::reduce_add(x);
#endif
}

template <class T>
HINDSIGHT_INLINE Batch<T> load(const T* from) {
  return Batch<T>::load_unaligned(from);
}

template <class T>
HINDSIGHT_INLINE void store(T* to, const Batch<T>& values) {
  values.store_unaligned(to);
}

/// As many ones as a register has lanes, then as many zeros: a mask of n lanes starts n ones before
/// the zeros.
template <class T>
struct OnesThenZeros {
  T lanes[static_cast<std::size_t>(2 * kWidth<T>)] = {};
  constexpr OnesThenZeros() {
    for (Size i = 0; i < kWidth<T>; ++i) lanes[i] = 1;
  }
};
template <class T>
inline constexpr OnesThenZeros<T> kOnesThenZeros;

/// The first `count` values, and zeros in the remaining lanes. Blocks of the pool end with spare
/// bytes, so the whole register may be read, but their content must not reach a function: some of
/// xsimd's choose an algorithm by all lanes of the register.
template <class T>
HINDSIGHT_INLINE Batch<T> load_first(const T* from, Size count) {
  const Batch<T> zero(T(0)), given = load(kOnesThenZeros<T>.lanes + kWidth<T> - count);
  return xsimd::select(given != zero, load(from), zero);
}

/// Stores the first `count` values.
template <class T>
HINDSIGHT_INLINE void store_first(T* to, const Batch<T>& values, Size count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4 && kWidth<T> == 16) {
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), values);
    return;
  } else if constexpr (sizeof(T) == 8 && kWidth<T> == 8) {
    _mm512_mask_storeu_pd(to, static_cast<__mmask8>((1u << count) - 1), values);
    return;
  }
#endif
  alignas(64) T lanes[static_cast<std::size_t>(kWidth<T>)];
  values.store_aligned(lanes);
  for (Size i = 0; i < count; ++i) to[i] = lanes[i];
}

/// Applies f; float registers are widened to double and the result rounded once.
template <class F>
HINDSIGHT_INLINE Batch<double> in_double(const Batch<double>& x, F&& f) {
  return f(x);
}
template <class F>
HINDSIGHT_INLINE Batch<double> in_double(const Batch<double>& a, const Batch<double>& b, F&& f) {
  return f(a, b);
}

/// The lanes of a float register as doubles.
struct Wide {
  static constexpr auto kLanes = static_cast<std::size_t>(kWidth<float>), kHalf = kLanes / 2;
  alignas(64) double lanes[kLanes];

  explicit HINDSIGHT_INLINE Wide(const Batch<float>& x) {
    alignas(64) float narrow[kLanes];
    x.store_aligned(narrow);
    for (std::size_t i = 0; i < kLanes; ++i) lanes[i] = static_cast<double>(narrow[i]);
  }
  HINDSIGHT_INLINE Batch<double> part(std::size_t i) const {
    return Batch<double>::load_aligned(lanes + i);
  }
  HINDSIGHT_INLINE Batch<float> rounded() const {
    alignas(64) float narrow[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) narrow[i] = static_cast<float>(lanes[i]);
    return Batch<float>::load_aligned(narrow);
  }
};
template <class F>
HINDSIGHT_INLINE Batch<float> in_double(const Batch<float>& x, F&& f) {
  Wide wide(x);
  for (std::size_t i = 0; i < Wide::kLanes; i += Wide::kHalf)
    f(wide.part(i)).store_aligned(wide.lanes + i);
  return wide.rounded();
}
template <class F>
HINDSIGHT_INLINE Batch<float> in_double(const Batch<float>& a, const Batch<float>& b, F&& f) {
  Wide wide(a);
  const Wide other(b);
  for (std::size_t i = 0; i < Wide::kLanes; i += Wide::kHalf)
    f(wide.part(i), other.part(i)).store_aligned(wide.lanes + i);
  return wide.rounded();
}

}  // namespace hindsight::simd
