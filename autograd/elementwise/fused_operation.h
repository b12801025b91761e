#pragma once
#include <hindsight/autograd/elementwise/kernels.h>
#include <hindsight/autograd/tape/operation.h>

namespace hindsight::detail {

struct BackwardPass;

/// A recorded expression.
class FusedOperation : public Operation {
 public:
  const char* name() const override { return kernels_->name; }
  std::pair<const Operand*, int> inputs() const override { return {operands_, kernels_->leaves}; }
  void run() override;
  void backward(ReverseSweep& sweep) override;
  void jvp(ForwardSweep& sweep) override;
  bool jvp_reads_only_saved() const override { return kernels_->tangent != nullptr; }
  Size saved_bytes() const override { return saved_ ? saved_.bytes() : 0; }

 protected:
  FusedOperation(const FusedKernels* kernels, Operand* operands, const void* program)
      : kernels_(kernels), operands_(operands), program_(program) {}
  /// Recomputes the values that are saved for backward.
  void run_saved() const;
  /// Computes the values of `output`, and those saved for backward unless `saved` is empty.
  void compute(const Node& output, const Buffer& value, const Buffer& saved) const;

 private:
  friend class TangentOperation;
  friend Variable evaluate(const FusedKernels&, const void*, const Variable* const*,
                           std::unique_ptr<FusedOperation> (*)(const void*, const Variable* const*,
                                                               Tape&));
  void backward_recorded(ReverseSweep& sweep);
  void zero_first(std::size_t i, BackwardPass* pass) const;
  void claim(std::size_t i, BackwardPass* pass) const;
  void claim_targets(BackwardPass* pass) const;
  Variable saved_values(int q) const;
  /// The layout of operand k; null if it is absent.
  const Layout* layout_of(int k) const {
    return operands_[k].node() ? &operands_[k].layout() : nullptr;
  }
  const std::byte* values_of(int k) const;
  const FusedKernels* kernels_;
  Operand* operands_;
  const void* program_;
  Buffer saved_;
};

/// Computes an expression's value and records it if a leaf is on the current tape. `make` creates
/// the operation, not yet recorded, for the program's type.
Variable evaluate(const FusedKernels& kernels, const void* program, const Variable* const* leaves,
                  std::unique_ptr<FusedOperation> (*make)(const void* program,
                                                          const Variable* const* leaves, Tape&));

}  // namespace hindsight::detail
