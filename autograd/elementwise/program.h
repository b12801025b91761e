#pragma once
#include <hindsight/autograd/elementwise/expression.h>

#include <array>
#include <utility>

/// A program is an expression's type without its operands. Properties known at compile time: which
/// values backward reads, which leaves receive the same gradient, which names messages use.
namespace hindsight::detail {

struct Leaf {};
template <class F, class... Children>
struct Program {
  F function;
  std::tuple<Children...> children;
};

inline Leaf program_of(const Variable&) { return {}; }
inline Scalar program_of(const Scalar& s) { return s; }
template <class F, class... A>
auto program_of(const Expression<F, A...>& e) {
  return std::apply(
      [&](const A&... a) {
        return Program<F, decltype(program_of(a))...>{e.function, {program_of(a)...}};
      },
      e.arguments);
}

template <class P>
constexpr int leaves_of = 0;
template <>
inline constexpr int leaves_of<Leaf> = 1;
template <class F, class... C>
inline constexpr int leaves_of<Program<F, C...>> = (0 + ... + leaves_of<C>);

/// Which of a node's output and children the derivatives of its function read.
template <class P>
struct DerivativeReads;
template <class F, class X>
struct DerivativeReads<Program<F, X>> {
  static constexpr unsigned all = leaves_of<X> > 0 ? reads<F, 0, 1> : 0;
};
template <class F, class A, class B>
struct DerivativeReads<Program<F, A, B>> {
  static constexpr unsigned all =
      (leaves_of<A> > 0 ? reads<F, 0, 2> : 0) | (leaves_of<B> > 0 ? reads<F, 1, 2> : 0);
};

/// Which leaves' values backward reads; must agree with ChainNode.
template <class P, bool Wanted>
struct LeafMarker {
  template <std::size_t N>
  static constexpr void mark(std::array<bool, N>&, std::size_t&) {}
};
template <bool Wanted>
struct LeafMarker<Leaf, Wanted> {
  template <std::size_t N>
  static constexpr void mark(std::array<bool, N>& reads_leaf, std::size_t& next) {
    reads_leaf[next++] = Wanted;
  }
};
template <class F, class... C, bool Wanted>
struct LeafMarker<Program<F, C...>, Wanted> {
  template <std::size_t N>
  static constexpr void mark(std::array<bool, N>& reads_leaf, std::size_t& next) {
    constexpr unsigned read = DerivativeReads<Program<F, C...>>::all;
    constexpr bool value = Wanted || (read & kOutput);
    constexpr bool recompute = value && !is_saved<F>;
    mark_children(reads_leaf, next, std::bool_constant<((read & kLeft) != 0 || recompute)>{},
                  std::bool_constant<((read & kRight) != 0 || recompute)>{});
  }
  template <std::size_t N, class L, class R>
  static constexpr void mark_children(std::array<bool, N>& reads_leaf, std::size_t& next, L, R) {
    using Children = std::tuple<C...>;
    LeafMarker<std::tuple_element_t<0, Children>, L::value>::mark(reads_leaf, next);
    if constexpr (sizeof...(C) == 2)
      LeafMarker<std::tuple_element_t<1, Children>, R::value>::mark(reads_leaf, next);
  }
};
template <class P>
constexpr auto leaf_reads() {
  std::array<bool, static_cast<std::size_t>(leaves_of<P>)> result{};
  std::size_t next = 0;
  LeafMarker<P, false>::mark(result, next);
  return result;
}

/// Names, for each leaf, the function that joins it to those before it, for error messages.
template <class P>
struct MeetingFunction;
template <>
struct MeetingFunction<Scalar> {
  static constexpr void mark(const char**&, const char*) {}
};
template <>
struct MeetingFunction<Leaf> {
  static constexpr void mark(const char**& next, const char* name) { *next++ = name; }
};
template <class F, class X>
struct MeetingFunction<Program<F, X>> {
  static constexpr void mark(const char**& next, const char* name) {
    MeetingFunction<X>::mark(next, name);
  }
};
template <class F, class A, class B>
struct MeetingFunction<Program<F, A, B>> {
  static constexpr void mark(const char**& next, const char* name) {
    MeetingFunction<A>::mark(next, name);
    MeetingFunction<B>::mark(next, leaves_of<A> > 0 ? name_of<F> : name);
  }
};
template <class P>
constexpr auto meeting_functions() {
  std::array<const char*, static_cast<std::size_t>(leaves_of<P>)> result{};
  const char** next = result.data();
  MeetingFunction<P>::mark(next, "");
  return result;
}

/// Groups leaves that receive the same gradient: both sides of a sum do.
template <class P>
struct GradientGroups {
  static constexpr void mark(int*&, int, int&) {}
};
template <>
struct GradientGroups<Leaf> {
  static constexpr void mark(int*& next, int gradient, int&) { *next++ = gradient; }
};
template <class F, class... C>
struct GradientGroups<Program<F, C...>> {
  static constexpr void mark(int*& next, int gradient, int& last) {
    constexpr bool sum = std::is_same_v<F, functions::Add>;
    (GradientGroups<C>::mark(next, sum ? gradient : ++last, last), ...);
  }
};
template <class P>
constexpr auto gradient_groups() {
  std::array<int, static_cast<std::size_t>(leaves_of<P>)> result{};
  int* next = result.data();
  int last = 0;
  GradientGroups<P>::mark(next, 0, last);
  return result;
}

template <class P>
constexpr const char* name_of_root = "";
template <class F, class... C>
inline constexpr const char* name_of_root<Program<F, C...>> = name_of<F>;

}  // namespace hindsight::detail
