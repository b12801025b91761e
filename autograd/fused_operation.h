#pragma once
#include <hindsight/autograd/operation.h>

/// What fused.cpp knows of a program: its loops, and where operands lie.
namespace hindsight::detail {

class FusedOperation;

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

constexpr int kMaxLeaves = 32;
/// Of a tangent (tangent.h): each leaf's value and tangent, and the values that were kept.
constexpr int kMaxOperands = 3 * kMaxLeaves;

struct FusedKernels {
  const char* name;  ///< of the outermost function
  const char* const*
      joins;  ///< of the function where leaf k meets the leaves before it, for messages
  int leaves;
  int kept;
  void (*forward[2])(const void* program, const ForwardRows&);
  void (*backward[2])(const void* program, const BackwardRows&);
  /// The chain rule on Variables, one recorded operation each: for derivatives of derivatives.
  /// gradients[k] is that of leaf k, not yet summed over what had been broadcast.
  void (*derive)(const void* program, const Variable* leaves, const Variable& gradient,
                 Variable* gradients);
  const bool* reads_leaf;  ///< whether the way back reads the value of leaf k
  const bool* receives;    ///< whether leaf k can get a gradient
  const int* adjoint;      ///< leaves of the same number get the same gradient
  /// The program's derivative along its leaves' tangents (tangent.h); null for one of these itself.
  const FusedKernels* tangent;
};

/// A recorded expression.
class FusedOperation : public Operation {
 public:
  const char* name() const override { return kernels_->name; }
  std::pair<const Operand*, int> inputs() const override { return {operands_, kernels_->leaves}; }
  void run() override;
  void backward(Sweep& sweep) override;
  void push_forward(Pushforward& sweep) override;
  bool pushes_with_kept() const override { return kernels_->tangent != nullptr; }
  Size kept_bytes() const override { return kept_ ? kept_.bytes() : 0; }

 protected:
  FusedOperation(const FusedKernels* kernels, Operand* operands, const void* program)
      : kernels_(kernels), operands_(operands), program_(program) {}
  /// Computes the values that are saved for backward again.
  void run_kept() const;

 private:
  friend class TangentOperation;
  friend Variable evaluate(const FusedKernels&, const void*, const Variable* const*,
                           FusedOperation* (*)(const void*, const Variable* const*, std::uint64_t));
  void backward_recorded(Sweep& sweep);
  void compute(const Buffer& value, const Buffer& kept) const;
  Variable kept_values(int q) const;
  /// Where the row loops find operand k; null where it is left out.
  const Layout* layout_of(int k) const {
    return operands_[k].node() ? &operands_[k].layout() : nullptr;
  }
  const std::byte* values_of(int k) const;
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

}  // namespace hindsight::detail
