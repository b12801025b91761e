#pragma once
#include <hindsight/autograd/elementwise/chain_rule.h>
#include <hindsight/autograd/elementwise/dual.h>
#include <hindsight/autograd/elementwise/kernels.h>

#include <algorithm>

/// The derivative of a program along tangents of its leaves, as an operation of its own: one loop
/// computes it, the other propagates its gradient to the tangents and, through second derivatives,
/// to the leaves. The backward of the tangent is the program's backward on dual numbers. Both loops
/// load the values that the program saved.
///
/// Operands: 2k is the value of leaf k, 2k + 1 its tangent (null if zero), then the saved values.
namespace hindsight::detail {

/// A cursor for a program of N leaves. Whole vectors and tails share one copy of the loop's body,
/// which is long and slow to compile. Offsets are in elements.
template <class T, int N>
struct DualCursor {
  const T* const* in;
  T* const* to;
  const bool* accumulate;
  Size j;
  Size count;  ///< elements of this vector: kWidth, or fewer at the end of a row

  template <int L, bool Wanted>
  HINDSIGHT_INLINE void load(Dual<T>* number) const {
    if constexpr (Wanted) number->value = simd::load_first(in[2 * L] + j, count);
    const T* from = in[2 * L + 1];
    number->tangent = from ? simd::load(from + j) : simd::Batch<T>(T(0));
  }
  HINDSIGHT_INLINE simd::Batch<T> saved_value(int slot) const {
    return simd::load(in[2 * N + slot] + j);
  }
  template <int L, class Gradient>
  HINDSIGHT_INLINE void add(const Gradient& gradient) const {
    if constexpr (Gradient::kSecondOrder) add_to(2 * L, gradient.of_value);
    add_to(2 * L + 1, gradient.of_tangent);
  }

 private:
  HINDSIGHT_INLINE void add_to(int operand, const simd::Batch<T>& gradient) const {
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

/// Stands for the gradient of a value where no second derivative contributes to it.
struct FirstOrderOnly {};

/// The gradients of a node's tangent, a register, and of its value, a register or FirstOrderOnly.
template <class T, class Value>
struct GradientPair {
  static constexpr bool kSecondOrder = !std::is_same_v<Value, FirstOrderOnly>;
  simd::Batch<T> of_tangent;
  Value of_value;
};

/// Whether a program's value can change along tangents: not if every path from a leaf leads through
/// a function whose derivative is Zero. A value that cannot change is a constant in slopes, even
/// if their derivative with respect to it is infinite.
template <class P>
constexpr bool varies = false;  // numbers
template <>
inline constexpr bool varies<Leaf> = true;
template <class Slope>
constexpr bool flat = std::is_same_v<std::decay_t<Slope>, Zero>;
using AnyNumber = simd::Batch<float>;
template <int I, class F, class... C>
constexpr bool varies_by = false;
template <class F, class X>
inline constexpr bool varies_by<0, F, X> =
    varies<X> && !flat<decltype(std::declval<const F&>().derivative(AnyNumber(), AnyNumber()))>;
template <class F, class A, class B>
inline constexpr bool varies_by<0, F, A, B> =
    varies<A> &&
    !flat<decltype(std::declval<const F&>().by_left(AnyNumber(), AnyNumber(), AnyNumber()))>;
template <class F, class A, class B>
inline constexpr bool varies_by<1, F, A, B> =
    varies<B> &&
    !flat<decltype(std::declval<const F&>().by_right(AnyNumber(), AnyNumber(), AnyNumber()))>;
template <class F, class... C>
inline constexpr bool varies<Program<F, C...>> = varies_by<0, F, C...> || varies_by<1, F, C...>;

/// A View of the values alone, for the slopes that tangents are multiplied by.
struct PlainValues {
  template <class P, class X>
  static HINDSIGHT_INLINE const auto& seen(const X& x) {
    return plain(x);
  }
};

/// Dual numbers in registers.
template <class T>
struct DualNumbers : Registers<T> {
  using Number = Dual<T>;
  static constexpr bool kEveryValue = false;
  static constexpr SavedValues kSavedValues = SavedValues::load;

  template <class P, class X>
  static HINDSIGHT_INLINE const auto& seen(const X& x) {
    if constexpr (varies<P>) {
      return x;
    } else {
      return plain(x);
    }
  }
  /// The gradients of a node times its slope with respect to a child, a dual number if it varies.
  template <class Value, class Slope>
  static HINDSIGHT_INLINE auto times(const GradientPair<T, Value>& g, const Slope& slope) {
    using Pair = GradientPair<T, simd::Batch<T>>;
    if constexpr (is_dual<Slope> && !GradientPair<T, Value>::kSecondOrder) {
      return Pair{g.of_tangent * slope.value, g.of_tangent * slope.tangent};
    } else if constexpr (is_dual<Slope>) {
      return Pair{g.of_tangent * slope.value,
                  g.of_value * slope.value + g.of_tangent * slope.tangent};
    } else if constexpr (!GradientPair<T, Value>::kSecondOrder) {
      return GradientPair<T, FirstOrderOnly>{g.of_tangent * slope, {}};
    } else {
      return Pair{g.of_tangent * slope, g.of_value * slope};
    }
  }
  template <class F, class... C, class N>
  static HINDSIGHT_INLINE void set_tangent(const Program<F, C...>& p, N& node) {
    constexpr bool by_a = varies_by<0, F, C...>, by_b = varies_by<1, F, C...>;
    if constexpr (by_a && by_b) {
      node.value.tangent = along<F, 0, 2>(node.child.a.value.tangent, slope<0>(p, node)) +
                           along<F, 1, 2>(node.child.b.value.tangent, slope<1>(p, node));
    } else if constexpr (by_a) {
      node.value.tangent = along<F, 0, sizeof...(C)>(node.child.a.value.tangent, slope<0>(p, node));
    } else if constexpr (by_b) {
      node.value.tangent = along<F, 1, 2>(node.child.b.value.tangent, slope<1>(p, node));
    } else {
      node.value.tangent = simd::Batch<T>(T(0));
    }
  }

 private:
  template <int I, class P, class N>
  static HINDSIGHT_INLINE auto slope(const P& p, const N& node) {
    return node.template slope<I, PlainValues>(p);
  }
};

template <class P, class T>
using DualRoot = ChainNode<DualNumbers<T>, P, 0, 0, false>;

template <class P>
constexpr int tangent_operands = 2 * leaves_of<P> + saved_of<P>;

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
  constexpr int kCount = tangent_operands<P>;
  std::array<const T*, kCount> in;
  for (int k = 0; k < kCount; ++k) in[static_cast<std::size_t>(k)] = static_cast<const T*>(r.in[k]);
  T* out = static_cast<T*>(r.out);
  DualCursor<T, leaves_of<P>> cursor{in.data(), nullptr, nullptr, 0, 0};
  for (Size row = 0; row < r.rows; ++row, out += r.out_step) {
    DualRoot<P, T> values;
    for (cursor.j = 0; cursor.j < r.length; cursor.j += simd::kWidth<T>) {
      cursor.count = std::min(r.length - cursor.j, simd::kWidth<T>);
      values.compute(p, cursor);
      if (cursor.count == simd::kWidth<T>) {
        simd::store(out + cursor.j, values.value.tangent);
      } else {
        simd::store_first(out + cursor.j, values.value.tangent, cursor.count);
      }
    }
    next_row<T, kCount>(in, r.in_step);
  }
}

template <class P, class T>
void tangent_backward_loop(const void* program, const BackwardRows& r) {
  const P& p = *static_cast<const P*>(program);
  constexpr int kCount = tangent_operands<P>;
  std::array<const T*, kCount> in;
  std::array<T*, kCount> to;
  for (int k = 0; k < kCount; ++k) {
    in[static_cast<std::size_t>(k)] = static_cast<const T*>(r.in[k]);
    to[static_cast<std::size_t>(k)] = static_cast<T*>(r.to[k]);
  }
  const T* gradient = static_cast<const T*>(r.gradient);
  DualCursor<T, leaves_of<P>> cursor{in.data(), to.data(), r.accumulate, 0, 0};
  for (Size row = 0; row < r.rows; ++row, gradient += r.gradient_step) {
    DualRoot<P, T> values;
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
      if (r.to_step[k] == 0) r.accumulate[k] = true;  // later rows of a repeated operand add
    }
  }
}

/// Which operands of the tangent receive a gradient: every tangent, and the leaves' values on which
/// a slope depends.
template <class N>
struct Receiving {
  template <bool>
  static constexpr void mark(bool*&) {}
};
template <class T, int L, int K, bool Wanted>
struct Receiving<ChainNode<DualNumbers<T>, Leaf, L, K, Wanted>> {
  template <bool SecondOrder>
  static constexpr void mark(bool*& receives) {
    *receives++ = SecondOrder;  // the value
    *receives++ = true;         // the tangent
  }
};
template <class T, class F, class... C, int L, int K, bool Wanted>
struct Receiving<ChainNode<DualNumbers<T>, Program<F, C...>, L, K, Wanted>> {
  using N = ChainNode<DualNumbers<T>, Program<F, C...>, L, K, Wanted>;
  template <bool SecondOrder>
  static constexpr void mark(bool*& receives) {
    mark_child<SecondOrder, 0, decltype(N::child.a)>(receives);
    if constexpr (sizeof...(C) == 2) mark_child<SecondOrder, 1, decltype(N::child.b)>(receives);
  }
  template <bool SecondOrder, int I, class Child>
  static constexpr void mark_child(bool*& receives) {
    if constexpr (leaves_of<typename N::template Child<I>> != 0) {
      using Slope = decltype(std::declval<const N&>().template slope<I, DualNumbers<T>>(
          std::declval<const Program<F, C...>&>()));
      Receiving<Child>::template mark<SecondOrder || is_dual<Slope>>(receives);
    }
  }
};

/// Which operands the tangent of a program reads, which receive a gradient and which share one,
/// derived from the program's own.
template <class P>
struct TangentTraits {
  static constexpr int kLeaves = leaves_of<P>, kCount = tangent_operands<P>;
  std::array<bool, kCount> reads{}, receives{};
  std::array<int, kCount> gradient_group{};

  constexpr TangentTraits() {
    const auto leaf_read = leaf_reads<P>();
    const auto leaf_group = gradient_groups<P>();
    bool* next = receives.data();
    Receiving<DualRoot<P, float>>::template mark<false>(next);
    bool curved = false;
    for (int k = 0; k < kLeaves; ++k) curved = curved || receives[at(2 * k)];
    for (int i = 0; i < kCount; ++i) {
      gradient_group[at(i)] = -1 - i;  // shared with none
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
