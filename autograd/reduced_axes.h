#pragma once
#include <hindsight/autograd/reduce.h>

/// What reductions have in common.
namespace hindsight {

/// Which axes of a shape a reduction goes over, and what that leaves.
struct ReducedAxes {
  /// IndexError naming `op` for an axis out of range or named twice, Error of an empty Variable.
  ReducedAxes(const char* op, const Variable& x, const Axes& axes, KeepDims keep);
  /// Whether there are results, each of no elements.
  bool of_nothing() const { return count == 0 && result.elements() > 0; }

  std::array<bool, kMaxRank> reduced{};
  Shape kept;      ///< reduced axes have one element
  Shape result;    ///< the same, or these axes dropped
  Size count = 1;  ///< elements that become one
};

}  // namespace hindsight
