#pragma once
#include <hindsight/autograd/tensor/simd_math.h>

/// One row of a softmax, as the softmax family and cross-entropy compute it.
namespace hindsight::detail {

/// The largest of n > 0 values. NaN may be passed over, but makes the sum of exp_row NaN.
template <class T>
T largest(const T* x, Size n) {
  T best = x[0];
  Size i = 0;
  if (n >= simd::kWidth<T>) {
    auto m = simd::load(x);
    for (i = simd::kWidth<T>; i + simd::kWidth<T> <= n; i += simd::kWidth<T>)
      m = xsimd::max(m, simd::load(x + i));
    alignas(64) T lanes[static_cast<std::size_t>(simd::kWidth<T>)];
    m.store_aligned(lanes);
    best = lanes[0];
    for (T lane : lanes) best = lane > best ? lane : best;
  }
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

/// Writes exp(x - shift) to `out`, unless it is null, and returns the sum.
template <class T>
T exp_row(const T* x, T shift, T* out, Size n) {
  const simd::Batch<T> s(shift);
  simd::Batch<T> sum(T(0));
  Size i = 0;
  for (; i + simd::kWidth<T> <= n; i += simd::kWidth<T>) {
    const auto e = xsimd::exp(simd::load(x + i) - s);
    if (out) simd::store(out + i, e);
    sum += e;
  }
  T total = simd::sum<T>(sum);
  if (i < n) {
    const auto e = xsimd::exp(simd::load(x + i) - s);
    alignas(64) T lanes[static_cast<std::size_t>(simd::kWidth<T>)];
    e.store_aligned(lanes);
    for (Size j = 0; i + j < n; ++j) total += lanes[j];
    if (out) simd::store_first(out + i, e, n - i);
  }
  return total;
}

}  // namespace hindsight::detail
