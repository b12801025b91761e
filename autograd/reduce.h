#pragma once
#include <hindsight/autograd/variable.h>

namespace hindsight {

enum class KeepDims : bool { no, yes };

/// Sum over all elements, or over the named axes (negative ones count from the end; none named:
/// all).
Variable sum(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Mean likewise.
Variable mean(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Sums the axes along which `shape` would be broadcast to x's shape: the backward of broadcasting.
Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace hindsight
