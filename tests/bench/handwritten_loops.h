#pragma once
#include <algorithm>
#include <cmath>
#include <limits>

#include "lanes.h"
#include "transpose_tile.h"

/// The elementwise passes of the hand-written step: everything but matrix products. Each runs over
/// all rows of a few columns at a time, so that a column's bias and its gradient stay in registers.
namespace hindsight::bench {

using Size = std::int64_t;

/// One LSTM step after its product. z: (B, 4H) preactivations without bias, becomes the gates i, f,
/// g, o; c_before, c, tanh_c: (B, H); h: (B, H). Strides are from row to row of z and h.
///   c = f c_before + i g    h = o tanh(c)
template <class T>
struct LstmForward {
  T* z;
  const T *bias, *c_before;
  T *c, *tanh_c, *h;
  Size z_stride, h_stride;
};

template <class T>
inline void lstm_forward_pass(const LstmForward<T>& p, Size B, Size H) {
  for_vectors<T>(H, [&](auto lanes, Size j) {
    const auto bias_i = lanes.load(p.bias + j), bias_f = lanes.load(p.bias + H + j);
    const auto bias_g = lanes.load(p.bias + 2 * H + j), bias_o = lanes.load(p.bias + 3 * H + j);
    for (Size b = 0; b < B; ++b) {
      T* z = p.z + b * p.z_stride + j;
      const Size at = b * H + j;
      const auto i = sigmoid(lanes.load(z) + bias_i), f = sigmoid(lanes.load(z + H) + bias_f);
      const auto g = tanh_of(lanes.load(z + 2 * H) + bias_g);
      const auto o = sigmoid(lanes.load(z + 3 * H) + bias_o);
      const auto c = xsimd::fma(f, lanes.load(p.c_before + at), i * g);
      const auto tanh_c = tanh_of(c);
      lanes.store(z, i);
      lanes.store(z + H, f);
      lanes.store(z + 2 * H, g);
      lanes.store(z + 3 * H, o);
      lanes.store(p.c + at, c);
      lanes.store(p.tanh_c + at, tanh_c);
      lanes.store(p.h + b * p.h_stride + j, o * tanh_c);
    }
  });
}

/// One LSTM step backward. z: (B, 4H) gates, becomes the gradient of the preactivations; dh: (B,
/// H); dc: (B, H) gradient of c from the step after, becomes that of c_before; bias_gradient is
/// added to.
template <class T>
struct LstmBackward {
  T* z;
  const T *c_before, *tanh_c, *dh;
  T *dc, *bias_gradient;
  Size z_stride;
};

template <class T>
inline void lstm_backward_pass(const LstmBackward<T>& p, Size B, Size H) {
  for_vectors<T>(H, [&](auto lanes, Size j) {
    using V = typename decltype(lanes)::Vector;
    const V one(T(1));
    V sum_i(T(0)), sum_f(T(0)), sum_g(T(0)), sum_o(T(0));
    for (Size b = 0; b < B; ++b) {
      T* z = p.z + b * p.z_stride + j;
      const Size at = b * H + j;
      // The previous step is next, after a product that leaves time to fetch it.
      for (Size gate = 0; gate < 4; ++gate) prefetch(z - B * p.z_stride + gate * H);
      prefetch(p.c_before + at - B * H);
      prefetch(p.tanh_c + at - B * H);
      const V i = lanes.load(z), f = lanes.load(z + H), g = lanes.load(z + 2 * H);
      const V o = lanes.load(z + 3 * H);
      const V tanh_c = lanes.load(p.tanh_c + at), dh = lanes.load(p.dh + at);
      const V h = o * tanh_c, dh_o = dh * o;
      // dc += dh o (1 - tanh(c)^2)
      const V dc = lanes.load(p.dc + at) + xsimd::fnma(dh * h, tanh_c, dh_o);
      const V dz_o = dh_o * xsimd::fnma(o, tanh_c, tanh_c);  // dh tanh(c) o (1 - o)
      const V dc_i = dc * i, dc_f = dc * f;
      const V dz_i = dc_i * xsimd::fnma(g, i, g);  // dc g i (1 - i)
      const V dz_f = dc_f * (one - f) * lanes.load(p.c_before + at);
      const V dz_g = dc_i * xsimd::fnma(g, g, one);
      lanes.store(p.dc + at, dc_f);
      lanes.store(z, dz_i);
      lanes.store(z + H, dz_f);
      lanes.store(z + 2 * H, dz_g);
      lanes.store(z + 3 * H, dz_o);
      sum_i += dz_i;
      sum_f += dz_f;
      sum_g += dz_g;
      sum_o += dz_o;
    }
    T* bias = p.bias_gradient + j;
    lanes.store(bias, lanes.load(bias) + sum_i);
    lanes.store(bias + H, lanes.load(bias + H) + sum_f);
    lanes.store(bias + 2 * H, lanes.load(bias + 2 * H) + sum_g);
    lanes.store(bias + 3 * H, lanes.load(bias + 3 * H) + sum_o);
  });
}

/// h = tanh(z + bias); z: (B, H), h: (B, H) with rows h_stride apart.
template <class T>
inline void rnn_forward_pass(const T* z, Size z_stride, const T* bias, T* h, Size h_stride, Size B,
                             Size H) {
  for_vectors<T>(H, [&](auto lanes, Size j) {
    const auto offset = lanes.load(bias + j);
    for (Size b = 0; b < B; ++b) {
      lanes.store(h + b * h_stride + j, tanh_of(lanes.load(z + b * z_stride + j) + offset));
    }
  });
}

/// dh: (B, H) becomes the gradient of the preactivation, dh (1 - h^2); bias_gradient is added to.
template <class T>
inline void rnn_backward_pass(const T* h, Size h_stride, T* dh, T* bias_gradient, Size B, Size H) {
  for_vectors<T>(H, [&](auto lanes, Size j) {
    using V = typename decltype(lanes)::Vector;
    V sum(T(0));
    for (Size b = 0; b < B; ++b) {
      const V y = lanes.load(h + b * h_stride + j);
      const V d = lanes.load(dh + b * H + j);
      const V dz = xsimd::fnma(d * y, y, d);
      lanes.store(dh + b * H + j, dz);
      sum += dz;
    }
    lanes.store(bias_gradient + j, lanes.load(bias_gradient + j) + sum);
  });
}

// ---- cross-entropy ----

/// Turns a row of V logits in place into weight * softmax(logits + bias), which is also added to
/// bias_gradient. Returns log sum exp of the biased logits.
template <class T>
inline T softmax_row(T* logits, const T* bias, T weight, T* bias_gradient, Size V) {
  using Vector = Wide<T>;
  const Vector lowest(std::numeric_limits<T>::lowest());
  Vector high = lowest, sums(T(0));
  for_wide_vectors<T>(V, [&](auto lanes, Size j) {
    const Vector biased = lanes.load_or(logits + j, lowest) + lanes.load(bias + j);
    lanes.store(logits + j, biased);
    high = xsimd::max(high, biased);
  });
  const T highest = highest_lane(high);
  for_wide_vectors<T>(V, [&](auto lanes, Size j) {
    const Vector e = exponential(lanes.load_or(logits + j, lowest) - Vector(highest));
    lanes.store(logits + j, e);
    sums += e;  // lanes beyond the row add e^-86 each
  });
  const T sum = sum_of_lanes(sums);
  const Vector factor(weight / sum);
  for_wide_vectors<T>(V, [&](auto lanes, Size j) {
    const Vector p = lanes.load(logits + j) * factor;
    lanes.store(logits + j, p);
    lanes.store(bias_gradient + j, lanes.load(bias_gradient + j) + p);
  });
  return highest + std::log(sum);
}

/// The same for logits stored as (V, N), all N columns: lanes are columns, so a small V leaves none
/// idle. The bias has been added before. log_sum: (N), log sum exp of each column.
template <class T>
inline void softmax_columns(T* logits, T weight, T* log_sum, Size V, Size N) {
  for_vectors<T>(N, [&](auto lanes, Size j) {
    using Vector = typename decltype(lanes)::Vector;
    Vector highest = lanes.load(logits + j);
    for (Size v = 1; v < V; ++v) highest = xsimd::max(highest, lanes.load(logits + v * N + j));
    Vector sum(T(0));
    for (Size v = 0; v < V; ++v) {
      const Vector e = exponential(lanes.load(logits + v * N + j) - highest);
      lanes.store(logits + v * N + j, e);
      sum += e;
    }
    lanes.store(log_sum + j, highest + xsimd::log(sum));
    const Vector factor = Vector(weight) / sum;
    for (Size v = 0; v < V; ++v) {
      lanes.store(logits + v * N + j, lanes.load(logits + v * N + j) * factor);
    }
  });
}

/// Sum of n numbers.
template <class T>
inline T sum_of(const T* values, Size n) {
  Wide<T> sums(T(0));
  for_wide_vectors<T>(n, [&](auto lanes, Size j) { sums += lanes.load(values + j); });
  return sum_of_lanes(sums);
}

// ---- clip and SGD ----

/// Sum of squares of n numbers, in four running sums: additions to one would wait for each other.
template <class T>
inline double squares_of(const T* values, Size n) {
  using V = Wide<T>;
  constexpr auto width = static_cast<Size>(V::size);
  V sums[4] = {V(T(0)), V(T(0)), V(T(0)), V(T(0))};
  Size j = 0;
  for (; j + 4 * width <= n; j += 4 * width) {
    for (Size k = 0; k < 4; ++k) {
      const V v = V::load_unaligned(values + j + k * width);
      sums[k] = xsimd::fma(v, v, sums[k]);
    }
  }
  auto total = static_cast<double>(sum_of_lanes((sums[0] + sums[1]) + (sums[2] + sums[3])));
  for (; j < n; ++j) total += static_cast<double>(values[j]) * static_cast<double>(values[j]);
  return total;
}

/// weights -= rate * gradient.
template <class T>
inline void descend(T* weights, const T* gradient, T rate, Size n) {
  for_vectors<T>(n, [&](auto lanes, Size j) {
    using V = typename decltype(lanes)::Vector;
    lanes.store(weights + j,
                xsimd::fnma(V(rate), lanes.load(gradient + j), lanes.load(weights + j)));
  });
}

/// weights_t -= rate * gradient_t, both (rows, columns) with rows stride apart, and weights
/// (columns, rows) = its transpose, tile by tile in one pass over memory.
template <class T>
inline void descend_and_transpose(T* weights_t, const T* gradient_t, Size stride, T rate, Size rows,
                                  Size columns, T* weights) {
  using V = Wide<T>;
  constexpr auto width = static_cast<Size>(V::size);
  for (Size r = 0; r < rows; r += width) {
    const Size tile_rows = std::min(width, rows - r);
    for (Size c = 0; c < columns; c += width) {
      const Size tile_columns = std::min(width, columns - c);
      V tile[V::size];
      const auto update = [&](auto lanes) {
        for (Size i = 0; i < tile_rows; ++i) {
          const Size at = (r + i) * stride + c;
          tile[i] = xsimd::fnma(V(rate), lanes.load(gradient_t + at), lanes.load(weights_t + at));
          lanes.store(weights_t + at, tile[i]);
        }
      };
      const auto write = [&](auto lanes) {
        for (Size i = 0; i < tile_columns; ++i) lanes.store(weights + (c + i) * rows + r, tile[i]);
      };
      const AllLanes<V> all;
      const SomeLanes<V> some_columns{static_cast<std::size_t>(tile_columns)};
      const SomeLanes<V> some_rows{static_cast<std::size_t>(tile_rows)};
      tile_columns == width ? update(all) : update(some_columns);
      transpose_tile(tile);
      tile_rows == width ? write(all) : write(some_rows);
    }
  }
}

}  // namespace hindsight::bench
