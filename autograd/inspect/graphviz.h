#pragma once
#include <hindsight/autograd/tape/variable.h>

#include <string>

namespace hindsight {

struct DotOptions {
  /// Draw the time steps of a part of the model once, "time steps 0 to 99"; what goes from one step
  /// to the next is a dashed line labelled "t-1".
  bool fold_time = false;
};

/// Graphviz text (the DOT language) of what `output` depends on, by the current tape: operations
/// with the shapes of their outputs; parameters, inputs and constants as boxes; modules and time
/// steps as boxes around them. A constant is one box. Error for an empty Variable.
std::string to_dot(const Variable& output, const DotOptions& options = {});

}  // namespace hindsight
