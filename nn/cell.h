#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>
#include <hindsight/nn/module.h>

#include <initializer_list>

namespace hindsight::nn {

/// The state that a cell passes from one time step to the next: {h}, {h, c} or more, each part (B,
/// width), where Cell::state_sizes() gives the widths.
class State {
 public:
  State() = default;
  State(std::initializer_list<Variable> parts) : parts_(parts) {}

  const Variable& operator[](int i) const { return parts_[static_cast<std::size_t>(i)]; }
  Variable& operator[](int i) { return parts_[static_cast<std::size_t>(i)]; }
  int size() const { return static_cast<int>(parts_.size()); }
  void push_back(const Variable& part) { parts_.push_back(part); }
  void resize(int count) { parts_.resize(static_cast<std::size_t>(count)); }
  /// The same values as constants: no gradient is propagated to what computed them.
  State detach() const;

  /// The first part as the products of a step read it: with recurrent dropout or layer
  /// normalization where a wrapper asks for it. What a step carries over, such as the z h of a GRU,
  /// is the part itself.
  const Variable& recurrent() const;
  /// Replaces what recurrent() returns, for wrappers.
  void set_recurrent(const Variable& h);
  /// Whether recurrent() was called since set_recurrent().
  bool recurrent_was_read() const { return recurrent_was_read_; }

 private:
  pool::Vector<Variable> parts_;
  Variable recurrent_;
  mutable bool recurrent_was_read_ = false;
};

/// The widths of the parts of a state.
using Widths = pool::Vector<Size>;

/// One time step of a recurrent network. A class that defines `step` and `state_sizes` gets layers,
/// directions, lengths, dropout and initial states from Recurrent.
class Cell : public Module {
 public:
  /// The part of a step that does not depend on the state, for T' time steps at once: (T', B, I) ->
  /// (T', B, ...). One product over many steps is several times faster than one for each. With
  /// lengths, all rows of some steps come as (1, rows, I): a row must depend on no other one. The
  /// default returns the inputs.
  virtual Variable project(const Variable& inputs) const { return inputs; }
  /// The same for symbols (T', B) that stand for one-hot vectors of width I. By default, an Error.
  virtual Variable project(const Indices& symbols) const;
  /// Called once for each sequence: may append values that all steps need to the state, such as a
  /// leak computed from a parameter. `step` must return them too; they are dropped at the end. What
  /// is appended is (B, ...), a row for each sequence; or shared by all rows: of rank 1, or with a
  /// first axis of one element.
  virtual State begin(const State& initial) const { return initial; }
  /// One time step. px: (B, ...), a step of the result of `project` -> the next state.
  virtual State step(const Variable& px, const State& state) const = 0;
  /// What the step gives to the layer above: (B, output_size()). By default, the first part of the
  /// next state. Must work for any number of leading axes, as one call may serve several steps.
  virtual Variable output(const Variable& px, const State& next) const;
  /// The width of each part of the state.
  virtual Widths state_sizes() const = 0;
  /// The width of the output; by default, that of the state's first part.
  virtual Size output_size() const { return state_sizes().front(); }

  /// True for cells whose states over many steps can be computed at once (LinearCell).
  virtual bool scans() const { return false; }
  /// All states of T' steps from an initial one, where scans() is true. px: (T', B, ...) -> parts
  /// (T', B, width). What begin() appended is returned, too: as it is, or as output() needs it for
  /// all steps. By default, an Error.
  virtual State scan(const Variable& px, const State& initial) const;
};

}  // namespace hindsight::nn
