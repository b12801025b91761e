#pragma once
#include <hindsight/nn/cell.h>
#include <hindsight/nn/packing.h>

#include <memory>

namespace hindsight::nn::detail {

/// One layer in one direction, with all that its steps read, so that they can be rerun. Steps are
/// counted in the order of processing.
struct Layer {
  std::shared_ptr<const Cell> cell;
  Variable vectors;  ///< (T, B, I), or the packed rows (N, I), or
  Indices symbols;   ///< (T, B), or (N,)
  std::shared_ptr<const Packing> packing;
  bool backward_in_time = false;  ///< steps go from T - 1 to 0
  bool in_place = true;           ///< and read the values there; else these are reversed themselves
  bool wants_outputs = true;
  bool wants_states = false;  ///< of all steps
  bool step_by_step = false;  ///< even if the cell's states could be computed at once
  bool trains = true;         ///< training() when it was unrolled
  Size checkpoint_every = 0;

  bool packed() const { return packing->ragged(); }
  /// The time of step i; with lengths, that of the longest sequence.
  Size time_of(Size i) const { return backward_in_time ? packing->steps() - 1 - i : i; }
  /// Where the values of step i are, if they are not packed.
  Size place_of(Size i) const { return in_place ? time_of(i) : i; }
};

/// The results of several steps, in the order of time: (T, B, width), or packed rows (N, width).
struct StepResults {
  Variable outputs;               ///< empty if not wanted
  pool::Vector<Variable> states;  ///< each part of the state; empty if not wanted
};

/// Runs all steps of a layer from *state, whose parts are (B, width) in the order of the packing,
/// and leaves each row's final state there.
StepResults unroll_layer(const Layer& layer, State* state);

}  // namespace hindsight::nn::detail
