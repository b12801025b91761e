#pragma once
#include <hindsight/autograd/elementwise/fused_operation.h>

#include <array>

namespace hindsight::detail {

/// Copy-on-write sharing of gradients between operands of an elementwise operation: operands that
/// receive the same gradient (addends of one sum, such as a projected input and a recurrent
/// product) share the memory of one of them, the lender, so that it is written only once.
class SharedGradients {
 public:
  static constexpr int kNone = -1;

  /// For fewer elements, writing twice takes less time than finding out which gradients can share
  /// memory.
  static constexpr Size kFewElements = 2048;
  static bool worthwhile(const Shape& output) { return output.elements() >= kFewElements; }

  /// gradient_group: operands with the same number receive the same gradient, shaped as `output`.
  SharedGradients(const Operand* operands, int count, const int* gradient_group,
                  const Shape& output);

  /// The operand whose memory operand i shares, or kNone.
  int of(std::size_t i) const { return lender_[i]; }
  /// Shares the lenders' memory, which must be allocated, if their gradients are assigned there
  /// rather than accumulated. Parts of one value share either all or none; if none, of() returns
  /// kNone for them afterwards.
  void share(const bool* accumulates);

 private:
  bool may_lend(std::size_t lender, std::size_t borrower, const Shape& output) const;
  bool alone(std::size_t i) const;
  Size shift(std::size_t borrower) const;  // of its gradient in the lender's, in bytes

  const Operand* operands_;
  std::size_t count_;
  std::array<std::int8_t, kMaxOperands> lender_;
};

}  // namespace hindsight::detail
