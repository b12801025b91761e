#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>
#include <hindsight/nn/module.h>

#include <array>
#include <initializer_list>
#include <vector>

namespace hindsight::nn {

/// What a cell carries from one time step to the next, its output first: {h} or {h, c}, each (B,
/// H).
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
  /// The same values as constants: carried so into the next tape, the gradient stops here.
  State detach() const;

 private:
  std::array<Variable, kMost> parts_;
  int count_ = 0;
};

/// Widths of the parts of a state.
using Widths = pool::Vector<Size>;

/// One time step of a recurrent network. Whoever writes `step` gets layers, directions, lengths,
/// dropout and initial states from Recurrent.
class Cell : public Module {
 public:
  /// Applied to many time steps at once, each on its own: (T', B, I) -> (T', B, ...). One product
  /// over many steps is several times faster than one at each. The default passes the input on.
  virtual Variable project(const Variable& inputs) const { return inputs; }
  /// The same for symbols (T, B) that stand for one-hot vectors. Error where a cell has no such
  /// form.
  virtual Variable project(const Indices& symbols) const;
  /// Called once a sequence: may append to the state what all steps share, such as the sum of two
  /// biases. `step` hands it on; it is dropped at the end.
  virtual State begin(const State& initial) const { return initial; }
  /// One step: px (B, ...) is a time step of what `project` returned.
  virtual State step(const Variable& px, const State& state) const = 0;
  /// Width of each part of the state; the first is the width of the output.
  virtual Widths state_sizes() const = 0;
};

}  // namespace hindsight::nn
