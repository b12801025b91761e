#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>
#include <hindsight/nn/module.h>

#include <array>
#include <initializer_list>
#include <vector>

namespace hindsight::nn {

/// The state that a cell passes from one time step to the next, its output first: {h} or {h, c},
/// each part (B, width), where Cell::state_sizes() gives the widths.
class State {
 public:
  static constexpr int kMost = 4;

  State() = default;
  State(std::initializer_list<Variable> parts);  ///< OptionError for more than kMost

  const Variable& operator[](int i) const { return parts_[static_cast<std::size_t>(i)]; }
  Variable& operator[](int i) { return parts_[static_cast<std::size_t>(i)]; }
  int size() const { return count_; }
  void push_back(const Variable& part);
  void resize(int count);  ///< drops the parts from `count` on
  /// The same values as constants: no gradient is propagated to what computed them.
  State detach() const;

 private:
  std::array<Variable, kMost> parts_;
  int count_ = 0;
};

/// The widths of the parts of a state.
using Widths = pool::Vector<Size>;

/// One time step of a recurrent network. A class that defines `step` and `state_sizes` gets layers,
/// directions, lengths, dropout and initial states from Recurrent.
class Cell : public Module {
 public:
  /// The part of a step that does not depend on the state, for T' time steps at once: (T', B, I) ->
  /// (T', B, ...). One product over many steps is several times faster than one for each. The
  /// default returns the inputs.
  virtual Variable project(const Variable& inputs) const { return inputs; }
  /// The same for symbols (T', B) that stand for one-hot vectors of width I. By default, an Error.
  virtual Variable project(const Indices& symbols) const;
  /// Called once for each sequence: may append values that all steps share to the state, such as a
  /// leak computed from a parameter. `step` must return them too; they are dropped at the end.
  virtual State begin(const State& initial) const { return initial; }
  /// One time step. px: (B, ...), a step of the result of `project` -> the next state.
  virtual State step(const Variable& px, const State& state) const = 0;
  /// The width of each part of the state; the first is that of the output.
  virtual Widths state_sizes() const = 0;
};

}  // namespace hindsight::nn
