#pragma once
#include <hindsight/autograd/common_programs.h>

/// From an expression to one pass over memory: the compiler makes the expression's program
/// (program.h) into two loops (loops.h); fused.cpp finds the rows and runs the loops over them.
namespace hindsight {
namespace detail {

template <std::size_t N>
constexpr auto all_true() {
  std::array<bool, N> result{};
  for (bool& b : result) b = true;
  return result;
}

/// The kernels of a program's tangent.
template <class P>
struct TangentKernels {
  static constexpr TangentFacts<P> kFacts{};
  static constexpr int kKept = RootTangents<P, float>::kKept;
  static_assert(kKept <= kMaxLeaves,
                "an expression of more than 32 costly functions: name a part of it as a Variable");
  static constexpr FusedKernels kKernels{
      outermost<P>,
      nullptr,
      TangentFacts<P>::kCount,
      0,
      {tangent_forward_loop<P, float>, tangent_forward_loop<P, double>},
      {tangent_backward_loop<P, float>, tangent_backward_loop<P, double>},
      nullptr,
      kFacts.reads.data(),
      kFacts.receives.data(),
      kFacts.adjoint.data(),
      nullptr};
};

template <class P>
class FusedOperationOf final : public FusedOperation {
 public:
  static constexpr int kLeaves = leaves_of<P>;
  static constexpr auto kReadsLeaf = leaf_reads<P>();
  static constexpr auto kJoins = joins_of<P>();
  static constexpr auto kReceives = all_true<leaves_of<P>>();
  static constexpr auto kAdjoints = adjoints_of<P>();
  static_assert(kLeaves <= kMaxLeaves,
                "an expression of more than 32 operands: name a part of it as a Variable");
  static constexpr FusedKernels kKernels{outermost<P>,
                                         kJoins.data(),
                                         kLeaves,
                                         Values<P, float, 0, 0, false, true>::kKept,
                                         {forward_loop<P, float>, forward_loop<P, double>},
                                         {backward_loop<P, float>, backward_loop<P, double>},
                                         derive<P>,
                                         kReadsLeaf.data(),
                                         kReceives.data(),
                                         kAdjoints.data(),
                                         &TangentKernels<P>::kKernels};

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
    return new_operation<FusedOperationOf>(*static_cast<const P*>(program), leaves, tape).release();
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
