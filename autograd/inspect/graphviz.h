#pragma once
#include <hindsight/autograd/tape/variable.h>

#include <string>

namespace hindsight {

struct DotOptions {
  /// Draws the time steps of a part of the model once, as "time steps 0 to 99". A value that one
  /// step passes to the next is a dashed edge labelled "t-1".
  bool fold_time = false;
};

/// Graphviz text (the DOT language) for what `output` depends on, according to the current tape:
/// operations with the shapes of their outputs; parameters, inputs and constants as boxes; modules
/// and time steps as boxes around them. For a constant, one box. Error for an empty Variable.
std::string to_dot(const Variable& output, const DotOptions& options = {});

}  // namespace hindsight
