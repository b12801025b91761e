#pragma once
#include <hindsight/autograd/elementwise/kernels.h>
#include <hindsight/autograd/elementwise/program.h>
#include <hindsight/autograd/tensor/simd.h>

/// A program as two loops over vector registers: one computes its value, one goes back through the
/// chain rule with the intermediate values in registers.
namespace hindsight::detail {

/// One vector's place within a row.
template <class T>
struct Cursor {
  const T* const* in;
  T* saved;
  Size saved_plane;
  Size j;
  Size count;  ///< elements of the last vector of a row
};

template <class T>
struct BackwardCursor : Cursor<T> {
  T* const* to;
  const bool* accumulate;
};

/// The values of a (sub)program for one vector. L leaves and K saved values come before it. On the
/// way back `Wanted` says that the parent reads this value; what nobody reads is not computed.
template <class P, class T, int L, int K, bool Back, bool Wanted>
struct ValueNode;

template <class T, int L, int K, bool Back, bool Wanted>
struct ValueNode<Scalar, T, L, K, Back, Wanted> {
  static constexpr int kSavedCount = 0;
  simd::Batch<T> value;
  template <bool Tail>
  HINDSIGHT_INLINE void compute(const Scalar& s, const Cursor<T>&) {
    value = simd::Batch<T>(static_cast<T>(s.value));
  }
  template <bool Tail>
  HINDSIGHT_INLINE void propagate(const Scalar&, const simd::Batch<T>&,
                                  const BackwardCursor<T>&) const {}
};

template <class T, int L, int K, bool Back, bool Wanted>
struct ValueNode<Leaf, T, L, K, Back, Wanted> {
  static constexpr int kSavedCount = 0;
  simd::Batch<T> value;
  template <bool Tail>
  HINDSIGHT_INLINE void compute(const Leaf&, const Cursor<T>& cursor) {
    if constexpr (Wanted && Tail) {
      value = simd::load_first(cursor.in[L] + cursor.j, cursor.count);
    } else if constexpr (Wanted) {
      value = simd::load(cursor.in[L] + cursor.j);
    }
  }
  template <bool Tail>
  HINDSIGHT_INLINE void propagate(const Leaf&, const simd::Batch<T>& gradient,
                                  const BackwardCursor<T>& cursor) const {
    T* to = cursor.to[L];
    if (!to) return;
    to += cursor.j;
    const simd::Batch<T> sum = cursor.accumulate[L] ? simd::load(to) + gradient : gradient;
    if constexpr (Tail) {
      simd::store_first(to, sum, cursor.count);
    } else {
      simd::store(to, sum);
    }
  }
};

/// `value` where the mask names it, else Unused.
template <bool Read, class V>
decltype(auto) if_read(const V& value) {
  if constexpr (Read) {
    return value;
  } else {
    return Unused{};
  }
}

template <class F, class X, class T, int L, int K, bool Back, bool Wanted>
struct ValueNode<Program<F, X>, T, L, K, Back, Wanted> {
  using P = Program<F, X>;
  static constexpr unsigned kRead = DerivativeReads<P>::all;
  static constexpr bool kWanted = !Back || Wanted || (kRead & kOutput);
  static constexpr bool kSavedHere =
      is_saved<F> && leaves_of<X> != 0;  // so every program keeps the same set
  static constexpr bool kInputWanted = !Back || (kRead & kInput) || (kWanted && !kSavedHere);
  using Child = ValueNode<X, T, L, K, Back, kInputWanted>;
  static constexpr int kMine = K + Child::kSavedCount;
  static constexpr int kSavedCount = Child::kSavedCount + (kSavedHere ? 1 : 0);

  simd::Batch<T> value;
  Child x;

  template <bool Tail>
  HINDSIGHT_INLINE void compute(const P& p, const Cursor<T>& cursor) {
    x.template compute<Tail>(std::get<0>(p.children), cursor);
    if constexpr (Back && kSavedHere && kWanted) {
      value = simd::load(cursor.saved + kMine * cursor.saved_plane + cursor.j);
    } else if constexpr (kWanted) {
      value = p.function.value(x.value);
      if constexpr (!Back && kSavedHere) {
        if (cursor.saved) simd::store(cursor.saved + kMine * cursor.saved_plane + cursor.j, value);
      }
    }
  }
  template <bool Tail>
  HINDSIGHT_INLINE void propagate(const P& p, const simd::Batch<T>& gradient,
                                  const BackwardCursor<T>& cursor) const {
    if constexpr (leaves_of<X> != 0) {
      x.template propagate<Tail>(
          std::get<0>(p.children),
          gradient * p.function.derivative(if_read<(kRead & kInput) != 0>(x.value),
                                           if_read<(kRead & kOutput) != 0>(value)),
          cursor);
    }
  }
};

template <class F, class A, class B, class T, int L, int K, bool Back, bool Wanted>
struct ValueNode<Program<F, A, B>, T, L, K, Back, Wanted> {
  using P = Program<F, A, B>;
  static constexpr unsigned kRead = DerivativeReads<P>::all;
  static constexpr bool kWanted = !Back || Wanted || (kRead & kOutput);
  static constexpr bool kSavedHere = is_saved<F> && leaves_of<P> != 0;
  using Left = ValueNode<A, T, L, K, Back, !Back || (kRead & kLeft) || (kWanted && !kSavedHere)>;
  using Right = ValueNode<B, T, L + leaves_of<A>, K + Left::kSavedCount, Back,
                          !Back || (kRead & kRight) || (kWanted && !kSavedHere)>;
  static constexpr int kMine = K + Left::kSavedCount + Right::kSavedCount;
  static constexpr int kSavedCount = Left::kSavedCount + Right::kSavedCount + (kSavedHere ? 1 : 0);

  simd::Batch<T> value;
  Left a;
  Right b;

  template <bool Tail>
  HINDSIGHT_INLINE void compute(const P& p, const Cursor<T>& cursor) {
    a.template compute<Tail>(std::get<0>(p.children), cursor);
    b.template compute<Tail>(std::get<1>(p.children), cursor);
    if constexpr (Back && kSavedHere && kWanted) {
      value = simd::load(cursor.saved + kMine * cursor.saved_plane + cursor.j);
    } else if constexpr (kWanted) {
      value = p.function.value(a.value, b.value);
      if constexpr (!Back && kSavedHere) {
        if (cursor.saved) simd::store(cursor.saved + kMine * cursor.saved_plane + cursor.j, value);
      }
    }
  }
  template <bool Tail>
  HINDSIGHT_INLINE void propagate(const P& p, const simd::Batch<T>& gradient,
                                  const BackwardCursor<T>& cursor) const {
    if constexpr (leaves_of<A> != 0) {
      constexpr unsigned r = reads<F, 0, 2>;
      a.template propagate<Tail>(std::get<0>(p.children),
                                 gradient * p.function.by_left(if_read<(r & kLeft) != 0>(a.value),
                                                               if_read<(r & kRight) != 0>(b.value),
                                                               if_read<(r & kOutput) != 0>(value)),
                                 cursor);
    }
    if constexpr (leaves_of<B> != 0) {
      constexpr unsigned r = reads<F, 1, 2>;
      b.template propagate<Tail>(std::get<1>(p.children),
                                 gradient * p.function.by_right(if_read<(r & kLeft) != 0>(a.value),
                                                                if_read<(r & kRight) != 0>(b.value),
                                                                if_read<(r & kOutput) != 0>(value)),
                                 cursor);
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
  Cursor<T> cursor{in.data(), static_cast<T*>(r.saved), r.saved_plane, 0, 0};
  for (Size row = 0; row < r.rows; ++row) {
    ValueNode<P, T, 0, 0, false, true> values;
    for (cursor.j = 0; cursor.j + simd::kWidth<T> <= r.length; cursor.j += simd::kWidth<T>) {
      values.template compute<false>(p, cursor);
      simd::store(out + cursor.j, values.value);
    }
    if (cursor.j < r.length) {
      cursor.count = r.length - cursor.j;
      values.template compute<true>(p, cursor);
      simd::store_first(out + cursor.j, values.value, cursor.count);
    }
    for (int k = 0; k < kLeaves; ++k) in[static_cast<std::size_t>(k)] += r.in_step[k];
    out += r.out_step;
    if (cursor.saved) cursor.saved += r.saved_row;
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
  BackwardCursor<T> cursor{
      {in.data(), static_cast<T*>(const_cast<void*>(r.saved)), r.saved_plane, 0, 0},
      to.data(),
      r.accumulate};
  for (Size row = 0; row < r.rows; ++row) {
    ValueNode<P, T, 0, 0, true, false> values;
    for (cursor.j = 0; cursor.j + simd::kWidth<T> <= r.length; cursor.j += simd::kWidth<T>) {
      values.template compute<false>(p, cursor);
      values.template propagate<false>(p, simd::load(gradient + cursor.j), cursor);
    }
    if (cursor.j < r.length) {
      cursor.count = r.length - cursor.j;
      values.template compute<true>(p, cursor);
      values.template propagate<true>(p, simd::load(gradient + cursor.j), cursor);
    }
    gradient += r.gradient_step;
    if (cursor.saved) cursor.saved += r.saved_row;
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
