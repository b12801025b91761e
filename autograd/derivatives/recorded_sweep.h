#pragma once
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>

#include <vector>

/// Reverse sweeps whose gradients are Variables, so that they can be differentiated again.
namespace hindsight {

/// Collects gradients as contributions to parts of a node, and sums them when they are requested.
class RecordedSweep final : public ReverseSweep {
 public:
  explicit RecordedSweep(Tape& tape) : ReverseSweep(true, After::keep), tape_(tape) {}
  Variable gradient_variable(const Operand& output) override;
  void add(const Operand& input, const Variable& gradient) override;
  std::unique_ptr<ForwardSweep> forward() const override;
  bool reached(const Operation& operation) const override {
    const Node* node = operation.output().node();
    return node->needs_gradient && node->contributions;
  }

 private:
  Tape& tape_;
};

/// Sweeps one operation alone: the gradient of its output is given, and what it propagates to its
/// inputs is collected.
class CollectingSweep final : public ReverseSweep {
 public:
  struct Propagated {
    const Operand* input;
    Variable gradient;
  };

  CollectingSweep(Tape& tape, const Variable& gradient)
      : ReverseSweep(true, After::keep), tape_(tape), gradient_(gradient) {}
  bool reached(const Operation&) const override { return true; }
  Variable gradient_variable(const Operand&) override { return gradient_; }
  void add(const Operand& input, const Variable& gradient) override;
  std::unique_ptr<ForwardSweep> forward() const override;
  const std::vector<Propagated>& propagated() const { return propagated_; }

 private:
  Tape& tape_;
  Variable gradient_;
  std::vector<Propagated> propagated_;
};

namespace detail {

/// The part `region` of `whole`, a value of the shape of the region's node.
Variable part_of(const Variable& whole, const Layout& region);
/// The sum of what was contributed to `region` of the node; zeros if nothing was. Contributions to
/// exactly that region, or all of them if it is the whole, are removed, unless the sweep's caller
/// reads the node's gradient afterwards.
Variable take_contributions(Node* node, const Layout& region);

}  // namespace detail
}  // namespace hindsight
