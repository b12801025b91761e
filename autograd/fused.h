#pragma once
#include <hindsight/autograd/expression.h>
#include <hindsight/autograd/operation.h>
#include <hindsight/autograd/simd.h>

#include <array>
#include <utility>

/// From an expression to one pass over memory. The expression's type, without its operands, is the
/// program; the compiler turns it into two loops over vector registers: one computes the value, one
/// goes back through the chain rule. fused.cpp finds the rows and runs the loops over them.
namespace hindsight {
namespace detail {

// ---- Programs: an expression without its operands ---------------------------------------------

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

template <class F, class = void>
constexpr bool is_costly = false;
template <class F>
inline constexpr bool is_costly<F, std::void_t<decltype(F::kCostly)>> = F::kCostly;

/// What the derivative with respect to child `I` of `N` reads.
template <class F, int I, int N, class = void>
constexpr unsigned reads = kAll;
template <class F>
inline constexpr unsigned reads<F, 0, 1, std::void_t<decltype(F::kReads)>> = F::kReads;
template <class F>
inline constexpr unsigned reads<F, 0, 2, std::void_t<decltype(F::kLeftReads)>> = F::kLeftReads;
template <class F>
inline constexpr unsigned reads<F, 1, 2, std::void_t<decltype(F::kRightReads)>> = F::kRightReads;

/// Whether the way back needs the value of a node's output and of its children.
template <class P>
struct Needs;
template <class F, class X>
struct Needs<Program<F, X>> {
  static constexpr unsigned all = leaves_of<X> > 0 ? reads<F, 0, 1> : 0;
};
template <class F, class A, class B>
struct Needs<Program<F, A, B>> {
  static constexpr unsigned all =
      (leaves_of<A> > 0 ? reads<F, 0, 2> : 0) | (leaves_of<B> > 0 ? reads<F, 1, 2> : 0);
};

// ---- Memory a loop works on
// ----------------------------------------------------------------------

/// Rows for the forward loop; pointers are to the first row, steps lead to the next.
struct ForwardRows {
  Size rows, length;
  const void* const* in;
  const Size* in_step;
  void* out;
  Size out_step;
  void* kept;  ///< costly values, [row][which][element]; null when nothing is recorded
  Size kept_row, kept_plane;
};

struct BackwardRows {
  Size rows, length;
  const void* const* in;  ///< only those the derivatives read
  const Size* in_step;
  const void* gradient;
  Size gradient_step;
  const void* kept;
  Size kept_row, kept_plane;
  void* const* to;  ///< gradients of the operands, null where not wanted
  const Size* to_step;
  bool* accumulate;
};

/// One vector's place within a row.
template <class T>
struct Lane {
  const T* const* in;
  T* kept;
  Size kept_plane;
  Size j;
};

template <class T>
struct BackLane : Lane<T> {
  T* const* to;
  const bool* accumulate;
  Size count;  ///< elements of the last vector of a row
};

// ---- Values: a program over one vector
// ---------------------------------------------------------------

/// The values of a (sub)program for one vector. L leaves and K kept values come before it. On the
/// way back `Wanted` says that the parent reads this value; what nobody reads is not computed.
template <class P, class T, int L, int K, bool Back, bool Wanted>
struct Values;

template <class T, int L, int K, bool Back, bool Wanted>
struct Values<Scalar, T, L, K, Back, Wanted> {
  static constexpr int kKept = 0;
  simd::Batch<T> value;
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
  HINDSIGHT_INLINE void compute(const Leaf&, const Lane<T>& lane) {
    if constexpr (Wanted) value = simd::load(lane.in[L] + lane.j);
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

  HINDSIGHT_INLINE void compute(const P& p, const Lane<T>& lane) {
    x.compute(std::get<0>(p.children), lane);
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

  HINDSIGHT_INLINE void compute(const P& p, const Lane<T>& lane) {
    a.compute(std::get<0>(p.children), lane);
    b.compute(std::get<1>(p.children), lane);
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

// ---- The two loops
// ---------------------------------------------------------------------------------------

template <class P, class T>
void forward_loop(const void* program, const ForwardRows& r) {
  const P& p = *static_cast<const P*>(program);
  constexpr int kLeaves = leaves_of<P>;
  std::array<const T*, kLeaves> in;
  for (int k = 0; k < kLeaves; ++k)
    in[static_cast<std::size_t>(k)] = static_cast<const T*>(r.in[k]);
  T* out = static_cast<T*>(r.out);
  Lane<T> lane{in.data(), static_cast<T*>(r.kept), r.kept_plane, 0};
  for (Size row = 0; row < r.rows; ++row) {
    Values<P, T, 0, 0, false, true> values;
    for (lane.j = 0; lane.j + simd::kWidth<T> <= r.length; lane.j += simd::kWidth<T>) {
      values.compute(p, lane);
      simd::store(out + lane.j, values.value);
    }
    if (lane.j < r.length) {
      values.compute(p, lane);
      simd::store_first(out + lane.j, values.value, r.length - lane.j);
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
  BackLane<T> lane{{in.data(), static_cast<T*>(const_cast<void*>(r.kept)), r.kept_plane, 0},
                   to.data(),
                   r.accumulate,
                   0};
  for (Size row = 0; row < r.rows; ++row) {
    Values<P, T, 0, 0, true, false> values;
    for (lane.j = 0; lane.j + simd::kWidth<T> <= r.length; lane.j += simd::kWidth<T>) {
      values.compute(p, lane);
      values.template propagate<false>(p, simd::load(gradient + lane.j), lane);
    }
    if (lane.j < r.length) {
      lane.count = r.length - lane.j;
      values.compute(p, lane);
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

// ---- What fused.cpp knows of a program
// -------------------------------------------------------------------

class FusedOperation;

constexpr int kMaxLeaves = 32;

struct FusedKernels {
  const char* name;  ///< of the outermost function
  const char* const*
      joins;  ///< of the function where leaf k meets the leaves before it, for messages
  int leaves;
  int kept;
  void (*forward[2])(const void* program, const ForwardRows&);
  void (*backward[2])(const void* program, const BackwardRows&);
  /// The chain rule on Variables, one recorded operation each: for derivatives of derivatives.
  void (*derive)(const FusedOperation&, Sweep&, const Variable& gradient);
  const bool* reads_leaf;  ///< whether the way back reads the value of leaf k
};

/// A recorded expression.
class FusedOperation : public Operation {
 public:
  const char* name() const override { return kernels_->name; }
  std::pair<const Operand*, int> inputs() const override { return {operands_, kernels_->leaves}; }
  void run() override;
  void backward(Sweep& sweep) override;
  const void* program() const { return program_; }

 protected:
  FusedOperation(const FusedKernels* kernels, Operand* operands, const void* program)
      : kernels_(kernels), operands_(operands), program_(program) {}

 private:
  friend Variable evaluate(const FusedKernels&, const void*, const Variable* const*,
                           FusedOperation* (*)(const void*, const Variable* const*, std::uint64_t));
  const FusedKernels* kernels_;
  Operand* operands_;
  const void* program_;
  Buffer kept_;
};

/// Computes an expression's value and records it when a leaf is on the current tape. `record` makes
/// the operation of the program's own type.
Variable evaluate(const FusedKernels& kernels, const void* program, const Variable* const* leaves,
                  FusedOperation* (*record)(const void* program, const Variable* const* leaves,
                                            std::uint64_t tape));

/// Which leaves' values the way back reads, as Values decides it.
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
    constexpr unsigned read = Needs<Program<F, C...>>::all;
    constexpr bool value = Wanted || (read & kOutput);
    constexpr bool recompute = value && !is_costly<F>;
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

template <class P>
struct Joins;
template <>
struct Joins<Scalar> {
  static constexpr void mark(const char**&, const char*) {}
};
template <>
struct Joins<Leaf> {
  static constexpr void mark(const char**& next, const char* name) { *next++ = name; }
};
template <class F, class X>
struct Joins<Program<F, X>> {
  static constexpr void mark(const char**& next, const char* name) { Joins<X>::mark(next, name); }
};
template <class F, class A, class B>
struct Joins<Program<F, A, B>> {
  static constexpr void mark(const char**& next, const char* name) {
    Joins<A>::mark(next, name);
    Joins<B>::mark(next, leaves_of<A> > 0 ? name_of<F> : name);
  }
};
template <class P>
constexpr auto joins_of() {
  std::array<const char*, static_cast<std::size_t>(leaves_of<P>)> result{};
  const char** next = result.data();
  Joins<P>::mark(next, "");
  return result;
}

template <class P>
constexpr const char* outermost = "";
template <class F, class... C>
inline constexpr const char* outermost<Program<F, C...>> = name_of<F>;

// ---- Derivatives of derivatives
// ----------------------------------------------------------------------------

void add_gradient(Sweep& sweep, const Operand& to, const Variable& gradient);

/// A program's values as Variables.
template <class P>
struct Traced;
template <>
struct Traced<Leaf> {
  Variable value;
  const Operand* operand;
  Traced(const Leaf&, const Operand*& next) : value(next->variable()), operand(next++) {}
  void propagate(const Leaf&, Sweep& sweep, const Variable& gradient) const {
    add_gradient(sweep, *operand, gradient);
  }
};
template <>
struct Traced<Scalar> {
  double value;
  Traced(const Scalar& s, const Operand*&) : value(s.value) {}
};
template <class F, class X>
struct Traced<Program<F, X>> {
  Traced<X> x;
  Variable value;
  Traced(const Program<F, X>& p, const Operand*& next)
      : x(std::get<0>(p.children), next), value(make_expression(p.function, x.value)) {}
  void propagate(const Program<F, X>& p, Sweep& sweep, const Variable& gradient) const {
    x.propagate(std::get<0>(p.children), sweep,
                Variable(gradient * p.function.derivative(x.value, value)));
  }
};
template <class F, class A, class B>
struct Traced<Program<F, A, B>> {
  Traced<A> a;
  Traced<B> b;
  Variable value;
  Traced(const Program<F, A, B>& p, const Operand*& next)
      : a(std::get<0>(p.children), next),
        b(std::get<1>(p.children), next),
        value(make_expression(p.function, a.value, b.value)) {}
  void propagate(const Program<F, A, B>& p, Sweep& sweep, const Variable& gradient) const {
    if constexpr (!std::is_same_v<A, Scalar>) {
      a.propagate(std::get<0>(p.children), sweep,
                  Variable(gradient * p.function.by_left(a.value, b.value, value)));
    }
    if constexpr (!std::is_same_v<B, Scalar>) {
      b.propagate(std::get<1>(p.children), sweep,
                  Variable(gradient * p.function.by_right(a.value, b.value, value)));
    }
  }
};

template <class P>
void derive(const FusedOperation& operation, Sweep& sweep, const Variable& gradient) {
  const P& p = *static_cast<const P*>(operation.program());
  const Operand* next = operation.inputs().first;
  Traced<P>(p, next).propagate(p, sweep, gradient);
}

template <class P>
class FusedOperationOf final : public FusedOperation {
 public:
  static constexpr int kLeaves = leaves_of<P>;
  static constexpr auto kReadsLeaf = leaf_reads<P>();
  static constexpr auto kJoins = joins_of<P>();
  static_assert(kLeaves <= kMaxLeaves,
                "an expression of more than 32 operands: name a part of it as a Variable");
  static constexpr FusedKernels kKernels{outermost<P>,
                                         kJoins.data(),
                                         kLeaves,
                                         Values<P, float, 0, 0, false, true>::kKept,
                                         {forward_loop<P, float>, forward_loop<P, double>},
                                         {backward_loop<P, float>, backward_loop<P, double>},
                                         derive<P>,
                                         kReadsLeaf.data()};

  FusedOperationOf(const P& p, const Variable* const* leaves, std::uint64_t tape)
      : FusedOperation(&kKernels, own_, &own_program_), own_program_(p) {
    for (int k = 0; k < kLeaves; ++k) {
      const auto i = static_cast<std::size_t>(k);
      own_[k] =
          Operand(*leaves[k], kReadsLeaf[i] ? Operand::Keep::value : Operand::Keep::nothing, tape);
    }
  }
  static FusedOperation* record(const void* program, const Variable* const* leaves,
                                std::uint64_t tape) {
    return new_operation<FusedOperationOf>(*static_cast<const P*>(program), leaves, tape);
  }

 private:
  P own_program_;
  Operand own_[kLeaves];
};

}  // namespace detail

template <class F, class... Arguments>
Variable::Variable(const Expression<F, Arguments...>& expression) {
  const auto program = detail::program_of(expression);
  using Fused = detail::FusedOperationOf<std::decay_t<decltype(program)>>;
  std::array<const Variable*, static_cast<std::size_t>(Fused::kLeaves)> leaves;
  std::size_t next = 0;
  detail::for_each_leaf(expression, [&](const Variable& leaf) { leaves[next++] = &leaf; });
  *this = detail::evaluate(Fused::kKernels, &program, leaves.data(), Fused::record);
}

}  // namespace hindsight
