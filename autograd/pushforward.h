#pragma once
#include <hindsight/autograd/sweep.h>

#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace hindsight {

/// A walk over a tape in the order of its operations that carries tangents along: forward mode,
/// computed with recorded operations. What operations see of it.
///
///   y = f(a, b, ...)   y' = df/da a' + df/db b' + ...
///
/// A value of which no tangent is known does not depend on what was seeded: its tangent is an empty
/// Variable, and costs nothing.
class Pushforward {
 public:
  enum class Keep { nothing, records };  ///< of what the walk records, once an operation is passed

  Pushforward(Tape& tape, Keep keep) : tape_(tape), keep_(keep) {}
  /// A walk within another one, whose tangents it knows: through operations that live no longer.
  explicit Pushforward(const Pushforward* outer)
      : tape_(outer->tape_), keep_(outer->keep_), outer_(outer) {}

  /// Says what the tangent of a whole value is.
  void seed(const Variable& input, const Variable& tangent);
  /// Walks the operations after `before` (from the first one when null) up to the youngest.
  void run(Operation* before);

  /// The tangent of an operand or of any view; empty for zero.
  Variable tangent(const Operand& operand) const {
    return tangent(operand.node(), operand.layout());
  }
  Variable tangent(const Variable& value) const { return tangent(value.node(), value.layout()); }
  /// Says what the tangent of an operation's output is.
  void set(const Operand& output, const Variable& tangent);
  /// Whether any input of the operation has a tangent.
  bool moves(const Operation& operation) const;
  /// The tangent of `operation` where it has no rule of its own: its way back, transposed.
  void transpose(Operation& operation);

 private:
  Variable tangent(const Node* node, const Layout& region) const;
  void set_part(const Operand& output, const Variable& tangent);
  void find_missing(Operation* before);
  void restore(Operation& operation);

  Tape& tape_;
  Keep keep_;
  const Pushforward* outer_ = nullptr;
  std::unordered_map<const Node*, Variable> tangents_;  // of whole nodes
  std::unordered_set<const Node*> missing_;             // released values that a rule will read
};

}  // namespace hindsight
