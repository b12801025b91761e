#pragma once
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>

#include <unordered_map>
#include <unordered_set>

namespace hindsight {

/// Forward mode over a tape: from the oldest operation to the newest, each computes the tangent of
/// its output from those of its inputs, with operations that are recorded on the same tape.
class TangentSweep final : public ForwardSweep {
 public:
  /// Whether to keep the operations that the sweep records, or drop them after each step.
  enum class Keep { nothing, records };

  TangentSweep(Tape& tape, Keep keep) : tape_(tape), keep_(keep) {}
  /// A nested sweep over a recomputed segment; it falls back on the outer sweep's tangents.
  explicit TangentSweep(const TangentSweep& outer)
      : tape_(outer.tape_), keep_(outer.keep_), outer_(&outer) {}

  using ForwardSweep::tangent;
  void set(const Operand& output, const Variable& tangent) override;
  void transpose(Operation& operation) override;
  void seed(const Variable& input, const Variable& tangent) override;
  void run(Operation* before) override;
  std::unique_ptr<ForwardSweep> nested() const override {
    return std::make_unique<TangentSweep>(*this);
  }

 protected:
  Variable tangent(const Node* node, const Layout& region) const override;

 private:
  void set_part(const Operand& output, const Variable& tangent);
  void find_missing(Operation* before);
  void restore(Operation& operation);

  Tape& tape_;
  Keep keep_;
  const TangentSweep* outer_ = nullptr;
  std::unordered_map<const Node*, Variable> tangents_;  // of whole nodes
  std::unordered_set<const Node*> missing_;             // released values that the sweep will read
};

}  // namespace hindsight
