#pragma once
#include <hindsight/autograd/elementwise/fused_operation.h>
#include <hindsight/autograd/elementwise/instances.h>
#include <hindsight/autograd/tape/tape.h>

/// From an expression to one pass over memory: the compiler turns the expression's program
/// (program.h) into two loops (value_loops.h); fused_operation.cpp finds the rows and runs the
/// loops over them.
namespace hindsight {
namespace detail {

template <std::size_t N>
constexpr auto all_true() {
  std::array<bool, N> result{};
  for (bool& b : result) b = true;
  return result;
}

template <std::size_t N>
constexpr bool any_equal(const std::array<int, N>& values) {
  for (std::size_t i = 1; i < N; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (values[i] == values[j]) return true;
    }
  }
  return false;
}

/// The kernels of a program's tangent.
template <class P>
struct TangentKernels {
  static constexpr TangentTraits<P> kTraits{};
  static constexpr int kSavedCount = saved_of<P>;
  static_assert(
      kSavedCount <= kMaxLeaves,
      "an expression may save at most 32 values for backward: store a part of it in a Variable");
  static constexpr FusedKernels kKernels{
      name_of_root<P>,
      nullptr,
      TangentTraits<P>::kCount,
      0,
      {tangent_forward_loop<P, float>, tangent_forward_loop<P, double>},
      {tangent_backward_loop<P, float>, tangent_backward_loop<P, double>},
      nullptr,
      kTraits.reads.data(),
      kTraits.receives.data(),
      kTraits.gradient_group.data(),
      nullptr};
};

template <class P>
class FusedOperationOf final : public FusedOperation {
 public:
  static constexpr int kLeaves = leaves_of<P>;
  static constexpr auto kReadsLeaf = leaf_reads<P>();
  static constexpr auto kMeetingFunctions = meeting_functions<P>();
  static constexpr auto kReceives = all_true<leaves_of<P>>();
  static constexpr auto kGradientGroups = gradient_groups<P>();
  static_assert(kLeaves <= kMaxLeaves,
                "an expression may have at most 32 operands: store a part of it in a Variable");
  static constexpr FusedKernels kKernels{
      name_of_root<P>,
      kMeetingFunctions.data(),
      kLeaves,
      saved_of<P>,
      {forward_loop<P, float>, forward_loop<P, double>},
      {backward_loop<P, float>, backward_loop<P, double>},
      differentiate<P>,
      kReadsLeaf.data(),
      kReceives.data(),
      any_equal(kGradientGroups) ? kGradientGroups.data() : nullptr,
      &TangentKernels<P>::kKernels};

  FusedOperationOf(const P& p, const Variable* const* leaves, Tape& tape)
      : FusedOperationOf(p, leaves, tape, std::make_index_sequence<std::size_t{kLeaves}>()) {}
  static std::unique_ptr<FusedOperation> make(const void* program, const Variable* const* leaves,
                                              Tape& tape) {
    return new_operation<FusedOperationOf>(tape, *static_cast<const P*>(program), leaves, tape);
  }

 private:
  template <std::size_t... K>
  FusedOperationOf(const P& p, const Variable* const* leaves, Tape& tape, std::index_sequence<K...>)
      : FusedOperation(&kKernels, own_, &own_program_),
        own_program_(p),
        own_{Operand(*leaves[K], kReadsLeaf[K] ? Operand::Save::value : Operand::Save::nothing,
                     tape)...} {}

  P own_program_;
  Operand own_[kLeaves];
};

template <class F, class... Arguments>
Variable evaluate(const Expression<F, Arguments...>& expression) {
  const auto program = program_of(expression);
  using Fused = FusedOperationOf<std::decay_t<decltype(program)>>;
  std::array<const Variable*, static_cast<std::size_t>(Fused::kLeaves)> leaves;
  std::size_t next = 0;
  for_each_leaf(expression, [&](const Variable& leaf) { leaves[next++] = &leaf; });
  return evaluate(Fused::kKernels, &program, leaves.data(), Fused::make);
}

}  // namespace detail

template <class F, class... Arguments>
Variable::Variable(const Expression<F, Arguments...>& expression)
    : Variable(detail::evaluate(expression)) {}

}  // namespace hindsight
