#pragma once
#include <hindsight/nn/linear.h>
#include <hindsight/nn/recurrent.h>

#include <memory>

#include "contestants.h"

namespace hindsight::bench {

/// Who wrote the cell: the library, a user who separates the projection from the step, or one who
/// computes everything in the step.
enum class Writer { library, user, naive };

/// A recurrent layer and its readout with the parameters of a Problem.
struct LibraryNetwork {
  Rng rng{1};
  std::unique_ptr<nn::Unroller> layer;
  nn::Linear readout;

  /// layer: from make_layer() for the same problem.
  LibraryNetwork(const Problem& problem, std::unique_ptr<nn::Unroller> layer);
  std::vector<Parameter> parameters() const;
};

/// Null if this writer has no cell for the model.
std::unique_ptr<nn::Unroller> make_layer(const Problem& problem, Writer writer);

}  // namespace hindsight::bench
