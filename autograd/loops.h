#pragma once
#include <hindsight/autograd/fused_operation.h>
#include <hindsight/autograd/program.h>
#include <hindsight/autograd/simd.h>

/// A program as two loops over vector registers: one computes its value, one goes back through the
/// chain rule with the intermediate values in registers.
namespace hindsight::detail {

/// One vector's place within a row.
template <class T>
struct Lane {
  const T* const* in;
  T* kept;
  Size kept_plane;
  Size j;
  Size count;  ///< elements of the last vector of a row
};

template <class T>
struct BackLane : Lane<T> {
  T* const* to;
  const bool* accumulate;
};

/// The values of a (sub)program for one vector. L leaves and K kept values come before it. On the
/// way back `Wanted` says that the parent reads this value; what nobody reads is not computed.
template <class P, class T, int L, int K, bool Back, bool Wanted>
struct Values;

template <class T, int L, int K, bool Back, bool Wanted>
struct Values<Scalar, T, L, K, Back, Wanted> {
  static constexpr int kKept = 0;
  simd::Batch<T> value;
  template <bool Tail>
  HINDSIGHT_INLINE void compute(const Scalar& s, const Lane<T>&) {
    value = simd::Batch<T>(static_cast<T>(s.value));
  }
  template <bool Tail>
  HINDSIGHT_INLINE void propagate(const Scalar&, const simd::Batch<T>&, const BackLane<T>&) const {}
};

template <class T, int L, int K, bool Back, bool Wanted>
struct Values<Leaf, T, L, K, Back, Wanted> {
  static constexpr int kKept = 0;
  simd::Batch<T> value;
  template <bool Tail>
  HINDSIGHT_INLINE void compute(const Leaf&, const Lane<T>& lane) {
    if constexpr (Wanted && Tail) {
      value = simd::load_first(lane.in[L] + lane.j, lane.count);
    } else if constexpr (Wanted) {
      value = simd::load(lane.in[L] + lane.j);
    }
  }
  template <bool Tail>
  HINDSIGHT_INLINE void propagate(const Leaf&, const simd::Batch<T>& gradient,
                                  const BackLane<T>& lane) const {
    T* to = lane.to[L];
    if (!to) return;
    to += lane.j;
    const simd::Batch<T> sum = lane.accumulate[L] ? simd::load(to) + gradient : gradient;
    if constexpr (Tail) {
      simd::store_first(to, sum, lane.count);
    } else {
      simd::store(to, sum);
    }
  }
};

/// `value` where the mask names it, else Unused.
template <bool Read, class V>
decltype(auto) when(const V& value) {
  if constexpr (Read) {
    return value;
  } else {
    return Unused{};
  }
}

template <class F, class X, class T, int L, int K, bool Back, bool Wanted>
struct Values<Program<F, X>, T, L, K, Back, Wanted> {
  using P = Program<F, X>;
  static constexpr unsigned kRead = Needs<P>::all;
  static constexpr bool kWanted = !Back || Wanted || (kRead & kOutput);
  static constexpr bool kStored =
      is_costly<F> && leaves_of<X> != 0;  // so every program keeps the same set
  static constexpr bool kInputWanted = !Back || (kRead & kInput) || (kWanted && !kStored);
  using Child = Values<X, T, L, K, Back, kInputWanted>;
  static constexpr int kMine = K + Child::kKept;
  static constexpr int kKept = Child::kKept + (kStored ? 1 : 0);

  simd::Batch<T> value;
  Child x;

  template <bool Tail>
  HINDSIGHT_INLINE void compute(const P& p, const Lane<T>& lane) {
    x.template compute<Tail>(std::get<0>(p.children), lane);
    if constexpr (Back && kStored && kWanted) {
      value = simd::load(lane.kept + kMine * lane.kept_plane + lane.j);
    } else if constexpr (kWanted) {
      value = p.function.value(x.value);
      if constexpr (!Back && kStored) {
        if (lane.kept) simd::store(lane.kept + kMine * lane.kept_plane + lane.j, value);
      }
    }
  }
  template <bool Tail>
  HINDSIGHT_INLINE void propagate(const P& p, const simd::Batch<T>& gradient,
                                  const BackLane<T>& lane) const {
    if constexpr (leaves_of<X> != 0) {
      x.template propagate<Tail>(
          std::get<0>(p.children),
          gradient * p.function.derivative(when<(kRead & kInput) != 0>(x.value),
                                           when<(kRead & kOutput) != 0>(value)),
          lane);
    }
  }
};

template <class F, class A, class B, class T, int L, int K, bool Back, bool Wanted>
struct Values<Program<F, A, B>, T, L, K, Back, Wanted> {
  using P = Program<F, A, B>;
  static constexpr unsigned kRead = Needs<P>::all;
  static constexpr bool kWanted = !Back || Wanted || (kRead & kOutput);
  static constexpr bool kStored = is_costly<F> && leaves_of<P> != 0;
  using Left = Values<A, T, L, K, Back, !Back || (kRead & kLeft) || (kWanted && !kStored)>;
  using Right = Values<B, T, L + leaves_of<A>, K + Left::kKept, Back,
                       !Back || (kRead & kRight) || (kWanted && !kStored)>;
  static constexpr int kMine = K + Left::kKept + Right::kKept;
  static constexpr int kKept = Left::kKept + Right::kKept + (kStored ? 1 : 0);

  simd::Batch<T> value;
  Left a;
  Right b;

  template <bool Tail>
  HINDSIGHT_INLINE void compute(const P& p, const Lane<T>& lane) {
    a.template compute<Tail>(std::get<0>(p.children), lane);
    b.template compute<Tail>(std::get<1>(p.children), lane);
    if constexpr (Back && kStored && kWanted) {
      value = simd::load(lane.kept + kMine * lane.kept_plane + lane.j);
    } else if constexpr (kWanted) {
      value = p.function.value(a.value, b.value);
      if constexpr (!Back && kStored) {
        if (lane.kept) simd::store(lane.kept + kMine * lane.kept_plane + lane.j, value);
      }
    }
  }
  template <bool Tail>
  HINDSIGHT_INLINE void propagate(const P& p, const simd::Batch<T>& gradient,
                                  const BackLane<T>& lane) const {
    if constexpr (leaves_of<A> != 0) {
      constexpr unsigned r = reads<F, 0, 2>;
      a.template propagate<Tail>(std::get<0>(p.children),
                                 gradient * p.function.by_left(when<(r & kLeft) != 0>(a.value),
                                                               when<(r & kRight) != 0>(b.value),
                                                               when<(r & kOutput) != 0>(value)),
                                 lane);
    }
    if constexpr (leaves_of<B> != 0) {
      constexpr unsigned r = reads<F, 1, 2>;
      b.template propagate<Tail>(std::get<1>(p.children),
                                 gradient * p.function.by_right(when<(r & kLeft) != 0>(a.value),
                                                                when<(r & kRight) != 0>(b.value),
                                                                when<(r & kOutput) != 0>(value)),
                                 lane);
    }
  }
};

template <class P, class T>
void forward_loop(const void* program, const ForwardRows& r) {
  const P& p = *static_cast<const P*>(program);
  constexpr int kLeaves = leaves_of<P>;
  std::array<const T*, kLeaves> in;
  for (int k = 0; k < kLeaves; ++k)
    in[static_cast<std::size_t>(k)] = static_cast<const T*>(r.in[k]);
  T* out = static_cast<T*>(r.out);
  Lane<T> lane{in.data(), static_cast<T*>(r.kept), r.kept_plane, 0, 0};
  for (Size row = 0; row < r.rows; ++row) {
    Values<P, T, 0, 0, false, true> values;
    for (lane.j = 0; lane.j + simd::kWidth<T> <= r.length; lane.j += simd::kWidth<T>) {
      values.template compute<false>(p, lane);
      simd::store(out + lane.j, values.value);
    }
    if (lane.j < r.length) {
      lane.count = r.length - lane.j;
      values.template compute<true>(p, lane);
      simd::store_first(out + lane.j, values.value, lane.count);
    }
    for (int k = 0; k < kLeaves; ++k) in[static_cast<std::size_t>(k)] += r.in_step[k];
    out += r.out_step;
    if (lane.kept) lane.kept += r.kept_row;
  }
}

template <class P, class T>
void backward_loop(const void* program, const BackwardRows& r) {
  const P& p = *static_cast<const P*>(program);
  constexpr int kLeaves = leaves_of<P>;
  std::array<const T*, kLeaves> in;
  std::array<T*, kLeaves> to;
  for (int k = 0; k < kLeaves; ++k) {
    in[static_cast<std::size_t>(k)] = static_cast<const T*>(r.in[k]);
    to[static_cast<std::size_t>(k)] = static_cast<T*>(r.to[k]);
  }
  const T* gradient = static_cast<const T*>(r.gradient);
  BackLane<T> lane{{in.data(), static_cast<T*>(const_cast<void*>(r.kept)), r.kept_plane, 0, 0},
                   to.data(),
                   r.accumulate};
  for (Size row = 0; row < r.rows; ++row) {
    Values<P, T, 0, 0, true, false> values;
    for (lane.j = 0; lane.j + simd::kWidth<T> <= r.length; lane.j += simd::kWidth<T>) {
      values.template compute<false>(p, lane);
      values.template propagate<false>(p, simd::load(gradient + lane.j), lane);
    }
    if (lane.j < r.length) {
      lane.count = r.length - lane.j;
      values.template compute<true>(p, lane);
      values.template propagate<true>(p, simd::load(gradient + lane.j), lane);
    }
    gradient += r.gradient_step;
    if (lane.kept) lane.kept += r.kept_row;
    for (int k = 0; k < kLeaves; ++k) {
      const auto i = static_cast<std::size_t>(k);
      if (in[i]) in[i] += r.in_step[k];
      if (!to[i]) continue;
      to[i] += r.to_step[k];
      if (r.to_step[k] == 0) r.accumulate[k] = true;  // the rows of a repeated operand add up
    }
  }
}

}  // namespace hindsight::detail
