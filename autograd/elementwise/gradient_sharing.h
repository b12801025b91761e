#pragma once
#include <hindsight/autograd/elementwise/fused_operation.h>

#include <array>

namespace hindsight::detail {

/// Finds the operands of an elementwise operation that need no memory of their own for their
/// gradient: another operand gets the same one (they are addends of one sum, say a projected input
/// and a recurrent product) and lends its memory, so that it is written once instead of twice.
class SharedGradients {
 public:
  static constexpr int kNone = -1;

  /// gradient_group: operands of the same number get the same gradient, of the output's shape.
  SharedGradients(const Operand* operands, int count, const int* gradient_group,
                  const Shape& output);

  /// The operand that may lend operand i its memory, or kNone.
  int of(std::size_t i) const { return lender_[i]; }
  /// Once the lenders' memory is claimed: borrows it where they assign to it. Where one part of a
  /// value cannot borrow none does, and their lenders become kNone.
  void share(const bool* accumulates);

 private:
  bool may_lend(std::size_t lender, std::size_t borrower, const Shape& output) const;
  bool alone(std::size_t i) const;
  Size shift(std::size_t borrower) const;

  const Operand* operands_;
  std::size_t count_;
  std::array<std::int8_t, kMaxOperands> lender_;
};

}  // namespace hindsight::detail
