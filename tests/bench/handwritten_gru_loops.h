#pragma once
#include "handwritten_loops.h"

/// The elementwise passes of the hand-written GRU.
namespace hindsight::bench {

/// One GRU step after its products. a: (B, 4H): columns n, r, z without their biases, and u with
/// it; the first three become the gates. h_before, h: (B, H); stride is from row to row of a.
///   n = tanh(n + r u)    h = n + z (h_before - n)
template <class T>
struct GruForward {
  T* a;
  const T *bias, *h_before;
  T* h;
  Size stride;
};

template <class T>
inline void gru_forward_pass(const GruForward<T>& p, Size B, Size H) {
  for_vectors<T>(H, [&](auto lanes, Size j) {
    const auto bias_n = lanes.load(p.bias + j), bias_r = lanes.load(p.bias + H + j);
    const auto bias_z = lanes.load(p.bias + 2 * H + j);
    for (Size b = 0; b < B; ++b) {
      T* const a = p.a + b * p.stride + j;
      const auto r = sigmoid(lanes.load(a + H) + bias_r);
      const auto z = sigmoid(lanes.load(a + 2 * H) + bias_z);
      const auto n = tanh_of(xsimd::fma(r, lanes.load(a + 3 * H), lanes.load(a) + bias_n));
      lanes.store(a, n);
      lanes.store(a + H, r);
      lanes.store(a + 2 * H, z);
      lanes.store(p.h + b * H + j, xsimd::fma(z, lanes.load(p.h_before + b * H + j) - n, n));
    }
  });
}

/// One GRU step backward. a: (B, 4H) gates and u, become the gradients of the preactivations and of
/// u; dh: (B, H); what h_before contributes to h directly is added to dh_before (null for none),
/// and the sums over the batch to bias_gradient: (4H).
template <class T>
struct GruBackward {
  T* a;
  const T *h_before, *dh;
  T *dh_before, *bias_gradient;
  Size stride;
};

template <class T>
inline void gru_backward_pass(const GruBackward<T>& p, Size B, Size H) {
  for_vectors<T>(H, [&](auto lanes, Size j) {
    using V = typename decltype(lanes)::Vector;
    V sum_n(T(0)), sum_r(T(0)), sum_z(T(0)), sum_u(T(0));
    for (Size b = 0; b < B; ++b) {
      T* const a = p.a + b * p.stride + j;
      const Size at = b * H + j;
      // The previous step is next, after a product that leaves time to fetch it.
      for (Size part = 0; part < 4; ++part) prefetch(a - B * p.stride + part * H);
      prefetch(p.h_before + at - B * H);
      const V n = lanes.load(a), r = lanes.load(a + H), z = lanes.load(a + 2 * H);
      const V u = lanes.load(a + 3 * H), dh = lanes.load(p.dh + at);
      const V dh_z = dh * z, dn = dh - dh_z;          // dh (1 - z)
      const V d_n = dn * xsimd::fnma(n, n, V(T(1)));  // dn (1 - n^2)
      const V d_z = (lanes.load(p.h_before + at) - n) * xsimd::fnma(dh_z, z, dh_z);
      const V d_u = d_n * r;
      const V d_r = xsimd::fnma(d_u, r, d_u) * u;  // d_n u r (1 - r)
      lanes.store(a, d_n);
      lanes.store(a + H, d_r);
      lanes.store(a + 2 * H, d_z);
      lanes.store(a + 3 * H, d_u);
      if (p.dh_before) lanes.store(p.dh_before + at, lanes.load(p.dh_before + at) + dh_z);
      sum_n += d_n;
      sum_r += d_r;
      sum_z += d_z;
      sum_u += d_u;
    }
    T* const bias = p.bias_gradient + j;
    lanes.store(bias, lanes.load(bias) + sum_n);
    lanes.store(bias + H, lanes.load(bias + H) + sum_r);
    lanes.store(bias + 2 * H, lanes.load(bias + 2 * H) + sum_z);
    lanes.store(bias + 3 * H, lanes.load(bias + 3 * H) + sum_u);
  });
}

}  // namespace hindsight::bench
