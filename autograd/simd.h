#pragma once
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push  // GCC 12 warns of its own AVX-512 header
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <xsimd/xsimd.hpp>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include <hindsight/autograd/layout.h>

#include <cstring>

/// For what must become part of a loop over vectors: a call would pass registers through memory.
#define HINDSIGHT_INLINE inline __attribute__((always_inline))

/// Vector registers, by xsimd; what it lacks is added here.
namespace hindsight::simd {

template <class T>
using Batch = xsimd::batch<T>;

template <class T>
constexpr Size kWidth = static_cast<Size>(Batch<T>::size);

template <class T>
HINDSIGHT_INLINE Batch<T> load(const T* from) {
  return Batch<T>::load_unaligned(from);
}

template <class T>
HINDSIGHT_INLINE void store(T* to, const Batch<T>& values) {
  values.store_unaligned(to);
}

/// Stores the first `count` < kWidth values. Loading needs no such care: blocks of the pool end
/// with spare bytes that may be read.
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

}  // namespace hindsight::simd
