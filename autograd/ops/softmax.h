#pragma once
#include <hindsight/autograd/tape/variable.h>

namespace hindsight {

/// exp(x) / sum(exp(x)) along `axis`, computed from x - max(x), so that no exponential overflows.
/// x: any shape but () -> the same. ShapeError when the axis is empty, IndexError when out of
/// range.
///   dL/dx = y * (g - sum(g y))
Variable softmax(const Variable& x, int axis = -1);

/// x - log(sum(exp(x))) along `axis`, computed from x - max(x), so that no exponential overflows.
/// x: any shape but () -> the same. Errors as for softmax.
///   dL/dx = g - exp(y) * sum(g)
Variable log_softmax(const Variable& x, int axis = -1);

}  // namespace hindsight
