#pragma once
#include <hindsight/autograd/tape.h>

namespace hindsight {

/// One walk over the tape from the end: what operations see of it while going backward.
///
/// Gradients are summed in memory (Node::gradient), unless the sweep itself is recorded
/// (create_graph): then they are Variables, gathered as contributions to parts of a node.
class Sweep {
 public:
  enum class After { use_up, keep };  ///< whether the tape's operations may be swept again

  /// What an operation hands to one of its inputs.
  struct Handed {
    const Operand* input;
    Variable gradient;
  };

  Sweep(bool recorded, After after) : recorded_(recorded), after_(after) {}
  /// Of one operation alone, recorded: `gradient` is that of its output, and what it hands to its
  /// inputs goes to `handed` instead of to their gradients.
  Sweep(const Variable& gradient, std::vector<Handed>* handed)
      : recorded_(true), after_(After::keep), gradient_(gradient), handed_(handed) {}

  /// True when derivatives must be computed with operations on Variables.
  bool recorded() const { return recorded_; }
  /// True when the operations may be swept again, so that what they keep must stay as it is.
  bool keeps_tape() const { return after_ == After::keep; }

  /// Hands the gradient of an operation's output on to its inputs.
  void through(Operation& operation);

  /// Memory for an input's gradient, for operations that write it themselves. Not in recorded
  /// sweeps.
  static Gradient::Target target(const Operand& input);
  /// The gradient of an operation's output in memory. Not in recorded sweeps.
  static Tensor gradient(const Operand& output);

  /// The gradient of an operation's output as a Variable, in both kinds of sweep.
  Variable gradient_variable(const Operand& output);
  /// Adds `gradient` to an input's gradient, summing over what had been broadcast.
  void add(const Operand& input, const Variable& gradient);

 private:
  bool recorded_;
  After after_;
  Variable gradient_;
  std::vector<Handed>* handed_ = nullptr;
};

struct Contribution {
  Layout region;
  Variable value;
  Contribution* next;
};

void add_contribution(Node* node, const Layout& region, const Variable& value);
void clear_contributions(Node* node);
/// The view that `region` of a node is of a value of the whole node's shape.
Variable part_of(const Variable& whole, const Layout& region);
/// The sum of what was contributed to `region` of the node; zeros where nothing was. Contributions
/// to exactly that region are used up, unless the sweep's caller asks for the node's gradient too.
Variable take_contributions(Node* node, const Layout& region);

}  // namespace hindsight
