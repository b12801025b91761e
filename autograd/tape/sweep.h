#pragma once
#include <hindsight/autograd/tape/operation.h>

#include <memory>

/// The reverse and the forward sweep, as operations see them.
namespace hindsight {

/// The reverse sweep: gradients pass from the outputs of operations to their inputs.
class ReverseSweep {
 public:
  /// Whether the sweep consumes the tape's operations, or keeps them to be swept again.
  enum class After { use_up, keep };

  ReverseSweep(const ReverseSweep&) = delete;
  ReverseSweep& operator=(const ReverseSweep&) = delete;
  virtual ~ReverseSweep() = default;

  /// True if derivatives must be computed with operations on Variables (create_graph).
  bool recorded() const { return recorded_; }
  /// True if the operations may be swept again, so that what they saved must not be changed.
  bool keeps_tape() const { return after_ == After::keep; }

  /// Whether the operation's output has a gradient.
  virtual bool reached(const Operation& operation) const = 0;
  /// The gradient of an operation's output.
  virtual Variable gradient_variable(const Operand& output) = 0;
  /// Adds `gradient` to an input's gradient, summed over axes that the input was broadcast along.
  /// DTypeError, ShapeError if it does not fit the input.
  virtual void add(const Operand& input, const Variable& gradient) = 0;
  /// A forward sweep within this one; null unless this one is recorded.
  virtual std::unique_ptr<ForwardSweep> forward() const;

  /// Memory for an input's gradient, for operations that write it directly. Not in recorded sweeps.
  static Gradient::Target target(const Operand& input);
  /// The gradient of an operation's output in memory. Not in recorded sweeps.
  static Tensor gradient(const Operand& output);

  /// Calls the operation's backward and notifies the observers.
  void through(Operation& operation);

 protected:
  ReverseSweep(bool recorded, After after) : recorded_(recorded), after_(after) {}
  static void check_dtype(const Operand& input, const Variable& gradient);

 private:
  bool recorded_;
  After after_;
};

/// A reverse sweep that accumulates gradients in memory (Node::gradient) and records nothing.
class MemorySweep final : public ReverseSweep {
 public:
  explicit MemorySweep(After after) : ReverseSweep(false, after) {}
  Variable gradient_variable(const Operand& output) override { return Variable(gradient(output)); }
  void add(const Operand& input, const Variable& gradient) override;
  bool reached(const Operation& operation) const override {
    const Node* node = operation.output().node();
    return node->needs_gradient && node->has_gradient();
  }
};

/// The forward sweep: tangents pass from the inputs of operations to their outputs, computed with
/// recorded operations.
///
///   y = f(a, b, ...)   y' = df/da a' + df/db b' + ...
///
/// The tangent of a value that does not depend on what was seeded is an empty Variable, which costs
/// nothing.
class ForwardSweep {
 public:
  virtual ~ForwardSweep() = default;

  /// The tangent of an operand or of any view; empty if it is zero.
  Variable tangent(const Operand& operand) const {
    return tangent(operand.node(), operand.layout());
  }
  Variable tangent(const Variable& value) const { return tangent(value.node(), value.layout()); }
  /// Sets the tangent of an operation's output.
  virtual void set(const Operand& output, const Variable& tangent) = 0;
  /// Whether any input of the operation has a tangent.
  bool moves(const Operation& operation) const;
  /// Sets the output's tangent, for an operation without a JVP of its own, by transposing its
  /// backward.
  virtual void transpose(Operation& operation) = 0;

  /// Sets the tangent of a whole value.
  virtual void seed(const Variable& input, const Variable& tangent) = 0;
  /// Sweeps the operations after `before` (from the first one when null) up to the newest.
  virtual void run(Operation* before) = 0;
  /// A sweep over the recomputed operations of a checkpoint; it falls back on this sweep's
  /// tangents.
  virtual std::unique_ptr<ForwardSweep> nested() const = 0;

 protected:
  virtual Variable tangent(const Node* node, const Layout& region) const = 0;
};

/// A contribution to part of a node's gradient, as a Variable, in a recorded sweep.
struct Contribution {
  Layout region;
  Variable value;
  Contribution* next;
};

void add_contribution(Node* node, const Layout& region, const Variable& value);
void drop_contribution(Contribution* contribution);
void clear_contributions(Node* node);

}  // namespace hindsight
