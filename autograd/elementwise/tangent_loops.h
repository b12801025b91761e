#pragma once
#include <hindsight/autograd/elementwise/dual.h>
#include <hindsight/autograd/elementwise/value_loops.h>

#include <algorithm>

/// The derivative of a program along tangents of its leaves, as an operation of its own: one loop
/// computes it, one goes back from it to the tangents and, through second derivatives, to the
/// leaves. The values that the program saved serve both.
///
/// Operands: 2k the value of leaf k, 2k + 1 its tangent (null for zero), then the saved values.
namespace hindsight::detail {

template <class T>
struct DualCursor {
  const T* const* in;
  T* const* to;
  const bool* accumulate;
  Size j;
  Size count;  ///< elements of this vector: kWidth but for the last one of a row

  // One copy of the loop's body for whole vectors and tails: it is long, and compilers are slow.
  HINDSIGHT_INLINE void add(int operand, const simd::Batch<T>& gradient) const {
    T* place = to[operand];
    if (!place) return;
    place += j;
    const simd::Batch<T> sum = accumulate[operand] ? simd::load(place) + gradient : gradient;
    if (count < simd::kWidth<T>) {
      simd::store_first(place, sum, count);
    } else {
      simd::store(place, sum);
    }
  }
};

/// A gradient without second derivatives in it.
struct FirstOrderOnly {};

/// The gradients of a node's tangent, a register, and of its value, a register or FirstOrderOnly.
template <class T, class Tangent>
struct GradientPair {
  simd::Batch<T> of_tangent;
  Tangent of_value;
};

/// The chain rule: a node's gradients times the slope towards a child, dual where it changes.
template <class T, class Tangent, class Slope>
HINDSIGHT_INLINE auto times(const GradientPair<T, Tangent>& g, const Slope& slope) {
  constexpr bool first_order = std::is_same_v<Tangent, FirstOrderOnly>;
  if constexpr (is_dual<Slope> && first_order) {
    return GradientPair<T, simd::Batch<T>>{g.of_tangent * slope.value,
                                           g.of_tangent * slope.tangent};
  } else if constexpr (is_dual<Slope>) {
    return GradientPair<T, simd::Batch<T>>{g.of_tangent * slope.value,
                                           g.of_value * slope.value + g.of_tangent * slope.tangent};
  } else if constexpr (first_order) {
    return GradientPair<T, FirstOrderOnly>{g.of_tangent * slope, {}};
  } else {
    return GradientPair<T, simd::Batch<T>>{g.of_tangent * slope, g.of_value * slope};
  }
}

/// Whether a program can change along tangents: not where every way from a leaf leads through a
/// function that is flat everywhere. What cannot is a constant in slopes, however steep these are.
template <class P>
constexpr bool varies = false;  // numbers
template <>
inline constexpr bool varies<Leaf> = true;
template <class Slope>
constexpr bool flat = std::is_same_v<std::decay_t<Slope>, Zero>;
using AnyNumber = simd::Batch<float>;
template <class F, class X>
inline constexpr bool varies<Program<F, X>> =
    varies<X> && !flat<decltype(std::declval<const F&>().derivative(AnyNumber(), AnyNumber()))>;
template <class F, class A, class B>
constexpr bool varies_by_left =
    varies<A> &&
    !flat<decltype(std::declval<const F&>().by_left(AnyNumber(), AnyNumber(), AnyNumber()))>;
template <class F, class A, class B>
constexpr bool varies_by_right =
    varies<B> &&
    !flat<decltype(std::declval<const F&>().by_right(AnyNumber(), AnyNumber(), AnyNumber()))>;
template <class F, class A, class B>
inline constexpr bool varies<Program<F, A, B>> =
    varies_by_left<F, A, B> || varies_by_right<F, A, B>;

/// A node's value and tangent for one vector. N leaves in all, L and K saved values before it.
/// `Wanted` says that the parent's slope reads the value; what none reads is not there.
template <class P, class T, int N, int L, int K, bool Wanted>
struct DualNode;

template <class T, int N, int L, int K, bool Wanted>
struct DualNode<Scalar, T, N, L, K, Wanted> {
  static constexpr int kSavedCount = 0;
  simd::Batch<T> value;
  HINDSIGHT_INLINE void compute(const Scalar& s, const DualCursor<T>&) {
    value = simd::Batch<T>(static_cast<T>(s.value));
  }
  HINDSIGHT_INLINE const simd::Batch<T>& dual() const { return value; }
  template <class G>
  HINDSIGHT_INLINE void propagate(const Scalar&, const G&, const DualCursor<T>&) const {}
  template <bool>
  static constexpr void mark(bool*&) {}
};

template <class T, int N, int L, int K, bool Wanted>
struct DualNode<Leaf, T, N, L, K, Wanted> {
  static constexpr int kSavedCount = 0;
  simd::Batch<T> value, tangent;
  HINDSIGHT_INLINE void compute(const Leaf&, const DualCursor<T>& cursor) {
    if constexpr (Wanted) value = simd::load_first(cursor.in[2 * L] + cursor.j, cursor.count);
    const T* from = cursor.in[2 * L + 1];
    tangent = from ? simd::load(from + cursor.j) : simd::Batch<T>(T(0));
  }
  HINDSIGHT_INLINE Dual<T> dual() const { return {value, tangent}; }
  template <class Tangent>
  HINDSIGHT_INLINE void propagate(const Leaf&, const GradientPair<T, Tangent>& gradient,
                                  const DualCursor<T>& cursor) const {
    if constexpr (!std::is_same_v<Tangent, FirstOrderOnly>) cursor.add(2 * L, gradient.of_value);
    cursor.add(2 * L + 1, gradient.of_tangent);
  }
  template <bool SecondOrder>
  static constexpr void mark(bool*& receives) {
    *receives++ = SecondOrder;  // the value
    *receives++ = true;         // the tangent
  }
};

/// The node's dual number where the mask names it, else Unused.
template <bool Read, class Node>
HINDSIGHT_INLINE auto dual_if_read(const Node& node) {
  if constexpr (Read) {
    return node.dual();
  } else {
    return Unused{};
  }
}

template <class F, class X, class T, int N, int L, int K, bool Wanted>
struct DualNode<Program<F, X>, T, N, L, K, Wanted> {
  using P = Program<F, X>;
  static constexpr bool kHasLeaves = leaves_of<X> != 0;
  static constexpr unsigned kRead = DerivativeReads<P>::all;
  static constexpr bool kWanted = Wanted || (kRead & kOutput);
  static constexpr bool kSavedHere = is_saved<F> && kHasLeaves;
  using Child = DualNode<X, T, N, L, K, (kRead & kInput) || (kWanted && !kSavedHere)>;
  static constexpr int kMine = K + Child::kSavedCount;
  static constexpr int kSavedCount = Child::kSavedCount + (kSavedHere ? 1 : 0);

  simd::Batch<T> value, tangent;
  Child x;

  HINDSIGHT_INLINE void compute(const P& p, const DualCursor<T>& cursor) {
    x.compute(std::get<0>(p.children), cursor);
    if constexpr (kSavedHere && kWanted) {
      value = simd::load(cursor.in[2 * N + kMine] + cursor.j);
    } else if constexpr (kWanted) {
      value = p.function.value(x.value);
    }
    if constexpr (kHasLeaves) {
      tangent = x.tangent * p.function.derivative(if_read<(kRead & kInput) != 0>(x.value),
                                                  if_read<(kRead & kOutput) != 0>(value));
    }
  }
  HINDSIGHT_INLINE auto dual() const {
    if constexpr (varies<P>) {
      return Dual<T>{value, tangent};
    } else {
      return value;
    }
  }
  HINDSIGHT_INLINE auto slope(const P& p) const {
    return p.function.derivative(dual_if_read<(kRead & kInput) != 0>(x),
                                 dual_if_read<(kRead & kOutput) != 0>(*this));
  }
  template <class G>
  HINDSIGHT_INLINE void propagate(const P& p, const G& gradient,
                                  const DualCursor<T>& cursor) const {
    if constexpr (kHasLeaves)
      x.propagate(std::get<0>(p.children), times(gradient, slope(p)), cursor);
  }
  template <bool SecondOrder>
  static constexpr void mark(bool*& receives) {
    using Slope = decltype(std::declval<DualNode>().slope(std::declval<P>()));
    Child::template mark<SecondOrder || is_dual<Slope>>(receives);
  }
};

template <class F, class A, class B, class T, int N, int L, int K, bool Wanted>
struct DualNode<Program<F, A, B>, T, N, L, K, Wanted> {
  using P = Program<F, A, B>;
  static constexpr bool kHasLeaves = leaves_of<P> != 0;
  static constexpr unsigned kRead = DerivativeReads<P>::all;
  static constexpr unsigned kByLeft = reads<F, 0, 2>, kByRight = reads<F, 1, 2>;
  static constexpr bool kWanted = Wanted || (kRead & kOutput);
  static constexpr bool kSavedHere = is_saved<F> && kHasLeaves;
  using Left = DualNode<A, T, N, L, K, (kRead & kLeft) || (kWanted && !kSavedHere)>;
  using Right = DualNode<B, T, N, L + leaves_of<A>, K + Left::kSavedCount,
                         (kRead & kRight) || (kWanted && !kSavedHere)>;
  static constexpr int kMine = K + Left::kSavedCount + Right::kSavedCount;
  static constexpr int kSavedCount = Left::kSavedCount + Right::kSavedCount + (kSavedHere ? 1 : 0);

  simd::Batch<T> value, tangent;
  Left a;
  Right b;

  HINDSIGHT_INLINE void compute(const P& p, const DualCursor<T>& cursor) {
    a.compute(std::get<0>(p.children), cursor);
    b.compute(std::get<1>(p.children), cursor);
    if constexpr (kSavedHere && kWanted) {
      value = simd::load(cursor.in[2 * N + kMine] + cursor.j);
    } else if constexpr (kWanted) {
      value = p.function.value(a.value, b.value);
    }
    if constexpr (varies_by_left<F, A, B> && varies_by_right<F, A, B>) {
      tangent = along_left(p) + along_right(p);
    } else if constexpr (varies_by_left<F, A, B>) {
      tangent = along_left(p);
    } else if constexpr (varies_by_right<F, A, B>) {
      tangent = along_right(p);
    } else if constexpr (kHasLeaves) {
      tangent = simd::Batch<T>(T(0));
    }
  }
  HINDSIGHT_INLINE simd::Batch<T> along_left(const P& p) const {
    return along<F, 0>(a.tangent, p.function.by_left(if_read<(kByLeft & kLeft) != 0>(a.value),
                                                     if_read<(kByLeft & kRight) != 0>(b.value),
                                                     if_read<(kByLeft & kOutput) != 0>(value)));
  }
  HINDSIGHT_INLINE simd::Batch<T> along_right(const P& p) const {
    return along<F, 1>(b.tangent, p.function.by_right(if_read<(kByRight & kLeft) != 0>(a.value),
                                                      if_read<(kByRight & kRight) != 0>(b.value),
                                                      if_read<(kByRight & kOutput) != 0>(value)));
  }
  HINDSIGHT_INLINE auto dual() const {
    if constexpr (varies<P>) {
      return Dual<T>{value, tangent};
    } else {
      return value;
    }
  }
  HINDSIGHT_INLINE auto left_slope(const P& p) const {
    return p.function.by_left(dual_if_read<(kByLeft & kLeft) != 0>(a),
                              dual_if_read<(kByLeft & kRight) != 0>(b),
                              dual_if_read<(kByLeft & kOutput) != 0>(*this));
  }
  HINDSIGHT_INLINE auto right_slope(const P& p) const {
    return p.function.by_right(dual_if_read<(kByRight & kLeft) != 0>(a),
                               dual_if_read<(kByRight & kRight) != 0>(b),
                               dual_if_read<(kByRight & kOutput) != 0>(*this));
  }
  template <class G>
  HINDSIGHT_INLINE void propagate(const P& p, const G& gradient,
                                  const DualCursor<T>& cursor) const {
    if constexpr (leaves_of<A> != 0)
      a.propagate(std::get<0>(p.children), times(gradient, left_slope(p)), cursor);
    if constexpr (leaves_of<B> != 0)
      b.propagate(std::get<1>(p.children), times(gradient, right_slope(p)), cursor);
  }
  template <bool SecondOrder>
  static constexpr void mark(bool*& receives) {
    if constexpr (leaves_of<A> != 0) {
      using Slope = decltype(std::declval<DualNode>().left_slope(std::declval<P>()));
      Left::template mark<SecondOrder || is_dual<Slope>>(receives);
    }
    if constexpr (leaves_of<B> != 0) {
      using Slope = decltype(std::declval<DualNode>().right_slope(std::declval<P>()));
      Right::template mark<SecondOrder || is_dual<Slope>>(receives);
    }
  }
};

template <class P, class T>
using RootDualNode = DualNode<P, T, leaves_of<P>, 0, 0, false>;

template <class P, class T>
constexpr int tangent_operands = 2 * leaves_of<P> + RootDualNode<P, T>::kSavedCount;

template <class T, int Count>
HINDSIGHT_INLINE void next_row(std::array<const T*, Count>& in, const Size* step) {
  for (int k = 0; k < Count; ++k) {
    const T*& row = in[static_cast<std::size_t>(k)];
    if (row) row += step[k];
  }
}

template <class P, class T>
void tangent_forward_loop(const void* program, const ForwardRows& r) {
  const P& p = *static_cast<const P*>(program);
  constexpr int kCount = tangent_operands<P, T>;
  std::array<const T*, kCount> in;
  for (int k = 0; k < kCount; ++k) in[static_cast<std::size_t>(k)] = static_cast<const T*>(r.in[k]);
  T* out = static_cast<T*>(r.out);
  DualCursor<T> cursor{in.data(), nullptr, nullptr, 0, 0};
  for (Size row = 0; row < r.rows; ++row, out += r.out_step) {
    RootDualNode<P, T> values;
    for (cursor.j = 0; cursor.j < r.length; cursor.j += simd::kWidth<T>) {
      cursor.count = std::min(r.length - cursor.j, simd::kWidth<T>);
      values.compute(p, cursor);
      if (cursor.count == simd::kWidth<T>) {
        simd::store(out + cursor.j, values.tangent);
      } else {
        simd::store_first(out + cursor.j, values.tangent, cursor.count);
      }
    }
    next_row<T, kCount>(in, r.in_step);
  }
}

template <class P, class T>
void tangent_backward_loop(const void* program, const BackwardRows& r) {
  const P& p = *static_cast<const P*>(program);
  constexpr int kCount = tangent_operands<P, T>;
  std::array<const T*, kCount> in;
  std::array<T*, kCount> to;
  for (int k = 0; k < kCount; ++k) {
    in[static_cast<std::size_t>(k)] = static_cast<const T*>(r.in[k]);
    to[static_cast<std::size_t>(k)] = static_cast<T*>(r.to[k]);
  }
  const T* gradient = static_cast<const T*>(r.gradient);
  DualCursor<T> cursor{in.data(), to.data(), r.accumulate, 0, 0};
  for (Size row = 0; row < r.rows; ++row, gradient += r.gradient_step) {
    RootDualNode<P, T> values;
    using Seed = GradientPair<T, FirstOrderOnly>;
    for (cursor.j = 0; cursor.j < r.length; cursor.j += simd::kWidth<T>) {
      cursor.count = std::min(r.length - cursor.j, simd::kWidth<T>);
      values.compute(p, cursor);
      values.propagate(p, Seed{simd::load(gradient + cursor.j), {}}, cursor);
    }
    next_row<T, kCount>(in, r.in_step);
    for (int k = 0; k < kCount; ++k) {
      const auto i = static_cast<std::size_t>(k);
      if (!to[i]) continue;
      to[i] += r.to_step[k];
      if (r.to_step[k] == 0) r.accumulate[k] = true;  // the rows of a repeated operand add up
    }
  }
}

/// What the tangent of a program reads, receives and shares, from what the program itself does.
template <class P>
struct TangentTraits {
  static constexpr int kLeaves = leaves_of<P>, kCount = tangent_operands<P, float>;
  std::array<bool, kCount> reads{}, receives{};
  std::array<int, kCount> gradient_group{};

  constexpr TangentTraits() {
    const auto leaf_read = leaf_reads<P>();
    const auto leaf_group = gradient_groups<P>();
    bool* next = receives.data();
    RootDualNode<P, float>::template mark<false>(next);
    bool curved = false;
    for (int k = 0; k < kLeaves; ++k) curved = curved || receives[at(2 * k)];
    for (int i = 0; i < kCount; ++i) {
      gradient_group[at(i)] = -1 - i;  // shared with nobody
      reads[at(i)] = true;
    }
    for (int k = 0; k < kLeaves; ++k) {
      reads[at(2 * k)] = leaf_read[at(k)];
      reads[at(2 * k + 1)] = curved;
      gradient_group[at(2 * k + 1)] = leaf_group[at(k)];
      if (receives[at(2 * k)]) gradient_group[at(2 * k)] = 2 * kCount + leaf_group[at(k)];
    }
  }
  static constexpr std::size_t at(int i) { return static_cast<std::size_t>(i); }
};

}  // namespace hindsight::detail
