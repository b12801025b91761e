#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>

/// Reductions over all elements, or over the named axes (negative ones count from the end; none
/// named: all), which are dropped or kept with one element. An axis out of range, or named twice,
/// is an IndexError. Where axes are reduced that have elements, but others have none, there are no
/// results: a mean of shape (0, 5) over the last axis has shape (0,).
namespace hindsight {

enum class KeepDims : bool { no, yes };

/// Sum. In double, rounded once at the end; of nothing: 0.
Variable sum(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Mean. ShapeError where there are results, each of no elements.
Variable mean(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Variance of the whole population: mean((x - mean(x))^2). ShapeError where there are
/// results, each of no elements.
Variable var(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Largest element; NaN where there is one. The largest share the gradient equally, as in PyTorch's
/// amax. ShapeError where there are results, each of no elements.
Variable max(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Smallest element likewise.
Variable min(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Product; its derivatives are right where elements are 0. Of nothing: 1.
Variable prod(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Euclidean norm sqrt(sum(x^2)), without overflow of the squares. The slope at 0 is 0.
///   dL/dx = g x / y
Variable norm(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// log(sum(exp(x))), computed from x - max(x), so that no exponential overflows; of nothing, or of
/// -infinity alone: -infinity.
///   dL/dx = g exp(x - y)
Variable logsumexp(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);

/// Where the largest element of an axis is: the first of several, the first NaN where there is one.
/// No gradient. ShapeError where the axis is empty.
Indices argmax(const Variable& x, int axis, KeepDims keep = KeepDims::no);
/// Where the largest of all elements is, as a row-major position, of shape ().
Indices argmax(const Variable& x);

/// Sums the axes along which `shape` would be broadcast to x's shape: the backward of broadcasting.
/// ShapeError where it does not broadcast to that.
Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace hindsight
