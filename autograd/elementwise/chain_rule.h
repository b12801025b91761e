#pragma once
#include <hindsight/autograd/elementwise/program.h>
#include <hindsight/autograd/tensor/simd.h>

/// The chain rule over a program, written once for all types of numbers: values in vector registers
/// (value_loops.h), values with tangents in registers (tangent_loops.h), and Variables, whose
/// operations are recorded (recorded_rule.h).
namespace hindsight::detail {

/// How many values a program saves for backward.
template <class P>
constexpr int saved_of = 0;
template <class F, class... C>
inline constexpr int saved_of<Program<F, C...>> =
    (0 + ... + saved_of<C>)+(is_saved<F>&& leaves_of<Program<F, C...>> != 0 ? 1 : 0);

/// What is done with the values that a program saves: the forward loop stores them, the backward
/// loop loads them instead of recomputing them.
/// With `none` they are computed and not stored.
enum class SavedValues { store, load, none };

/// The value of a number, without its tangent.
template <class Number>
HINDSIGHT_INLINE const Number& plain(const Number& number) {
  return number;
}
template <class Number>
HINDSIGHT_INLINE Number& plain(Number& number) {
  return number;
}

/// What ChainNode<Numbers, ...> requires of a type of numbers, for registers without tangents;
/// derived types add kEveryValue and kSavedValues. RecordedNumbers has the same members for
/// Variables.
template <class T>
struct Registers {
  using Number = simd::Batch<T>;
  using Constant = simd::Batch<T>;

  static HINDSIGHT_INLINE Constant constant(double value) {
    return simd::Batch<T>(static_cast<T>(value));
  }
  template <class F, class... X>
  static HINDSIGHT_INLINE simd::Batch<T> apply(const F& f, const X&... x) {
    return f.value(x...);
  }
  /// The part of node P's number that slopes are computed from: all of it, but of a dual number
  /// that cannot change only the value.
  template <class P, class X>
  static HINDSIGHT_INLINE const X& seen(const X& x) {
    return x;
  }
  template <class Slope>
  static HINDSIGHT_INLINE simd::Batch<T> times(const simd::Batch<T>& gradient, const Slope& slope) {
    return gradient * slope;
  }
  template <class P, class N>
  static HINDSIGHT_INLINE void set_tangent(const P&, N&) {}
};

/// The numbers at a node of a program, for one vector or one Variable. L leaves and K saved values
/// precede it. `Wanted` says whether the parent's derivative reads the value; values that none
/// reads are computed only if Numbers::kEveryValue.
///
/// A cursor loads the leaves and the saved values, and receives the gradients of the leaves.
template <class Numbers, class P, int L, int K, bool Wanted>
struct ChainNode;

template <class Numbers, int L, int K, bool Wanted>
struct ChainNode<Numbers, Scalar, L, K, Wanted> {
  typename Numbers::Constant value;
  template <class Cursor>
  HINDSIGHT_INLINE void compute(const Scalar& s, const Cursor&) {
    value = Numbers::constant(s.value);
  }
};

template <class Numbers, int L, int K, bool Wanted>
struct ChainNode<Numbers, Leaf, L, K, Wanted> {
  typename Numbers::Number value;
  template <class Cursor>
  HINDSIGHT_INLINE void compute(const Leaf&, const Cursor& cursor) {
    cursor.template load<L, Wanted>(&value);
  }
  template <class Gradient, class Cursor>
  HINDSIGHT_INLINE void propagate(const Leaf&, const Gradient& gradient,
                                  const Cursor& cursor) const {
    cursor.template add<L>(gradient);
  }
};

/// The nodes of one or two children, which start at leaf L and saved value K.
template <class Numbers, int L, int K, bool WantedA, bool WantedB, class... C>
struct ChildNodes;
template <class Numbers, int L, int K, bool WantedA, bool WantedB, class X>
struct ChildNodes<Numbers, L, K, WantedA, WantedB, X> {
  ChainNode<Numbers, X, L, K, WantedA> a;
};
template <class Numbers, int L, int K, bool WantedA, bool WantedB, class A, class B>
struct ChildNodes<Numbers, L, K, WantedA, WantedB, A, B> {
  ChainNode<Numbers, A, L, K, WantedA> a;
  ChainNode<Numbers, B, L + leaves_of<A>, K + saved_of<A>, WantedB> b;
};

/// The part of node P's number that slopes are computed from if the derivative reads it, else
/// Unused.
template <class Numbers, bool Read, class P, class Number>
HINDSIGHT_INLINE decltype(auto) if_read(const Number& number) {
  if constexpr (Read) {
    return Numbers::template seen<P>(number);
  } else {
    return Unused{};
  }
}

template <class Numbers, class F, class... C, int L, int K, bool Wanted>
struct ChainNode<Numbers, Program<F, C...>, L, K, Wanted> {
  using P = Program<F, C...>;
  template <int I>
  using Child = std::tuple_element_t<static_cast<std::size_t>(I), std::tuple<C...>>;
  static constexpr int kChildren = sizeof...(C);
  static constexpr unsigned kRead = DerivativeReads<P>::all;
  static constexpr bool kWanted = Numbers::kEveryValue || Wanted || (kRead & kOutput) != 0;
  static constexpr bool kSavedHere = is_saved<F> && leaves_of<P> != 0;
  static constexpr bool kReadsAll = Numbers::kEveryValue || (kWanted && !kSavedHere);
  static constexpr int kSlot = K + (0 + ... + saved_of<C>);

  ChildNodes<Numbers, L, K, kReadsAll || (kRead & kLeft) != 0, kReadsAll || (kRead & kRight) != 0,
             C...>
      child;
  typename Numbers::Number value;

  template <class Cursor>
  HINDSIGHT_INLINE void compute(const P& p, const Cursor& cursor) {
    child.a.compute(std::get<0>(p.children), cursor);
    if constexpr (kChildren == 2) child.b.compute(std::get<1>(p.children), cursor);
    if constexpr (kSavedHere && kWanted && Numbers::kSavedValues == SavedValues::load) {
      plain(value) = cursor.saved_value(kSlot);
    } else if constexpr (kWanted) {
      if constexpr (kChildren == 2) {
        plain(value) = Numbers::apply(p.function, plain(child.a.value), plain(child.b.value));
      } else {
        plain(value) = Numbers::apply(p.function, plain(child.a.value));
      }
      if constexpr (kSavedHere && Numbers::kSavedValues == SavedValues::store)
        cursor.save(kSlot, value);
    }
    if constexpr (leaves_of<P> != 0) Numbers::set_tangent(p, *this);
  }

  /// The derivative of the function with respect to child I, computed from the part of each number
  /// that View selects.
  template <int I, class View>
  HINDSIGHT_INLINE auto slope(const P& p) const {
    constexpr unsigned r = reads<F, I, kChildren>;
    if constexpr (kChildren == 1) {
      return p.function.derivative(if_read<View, (r & kInput) != 0, Child<0>>(child.a.value),
                                   if_read<View, (r & kOutput) != 0, P>(value));
    } else if constexpr (I == 0) {
      return p.function.by_left(if_read<View, (r & kLeft) != 0, Child<0>>(child.a.value),
                                if_read<View, (r & kRight) != 0, Child<1>>(child.b.value),
                                if_read<View, (r & kOutput) != 0, P>(value));
    } else {
      return p.function.by_right(if_read<View, (r & kLeft) != 0, Child<0>>(child.a.value),
                                 if_read<View, (r & kRight) != 0, Child<1>>(child.b.value),
                                 if_read<View, (r & kOutput) != 0, P>(value));
    }
  }

  template <class Gradient, class Cursor>
  HINDSIGHT_INLINE void propagate(const P& p, const Gradient& gradient,
                                  const Cursor& cursor) const {
    if constexpr (leaves_of<Child<0>> != 0) {
      child.a.propagate(std::get<0>(p.children), Numbers::times(gradient, slope<0, Numbers>(p)),
                        cursor);
    }
    if constexpr (kChildren == 2) {
      if constexpr (leaves_of<Child<kChildren - 1>> != 0) {
        child.b.propagate(std::get<1>(p.children), Numbers::times(gradient, slope<1, Numbers>(p)),
                          cursor);
      }
    }
  }
};

}  // namespace hindsight::detail
