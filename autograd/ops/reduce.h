#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>

/// Reductions over the given axes (negative ones count from the end; all when none is given), which
/// are dropped or kept with one element. IndexError for an axis out of range or given twice.
///
/// A reduction is empty when its result has elements, each computed from none. When other axes have
/// no elements there are no results: a mean of shape (0, 5) over the last axis has shape (0,).
namespace hindsight {

enum class KeepDims : bool { no, yes };

/// Sum, computed in double and rounded once at the end; 0 if empty.
Variable sum(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Mean. ShapeError if empty.
Variable mean(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Variance of the population: mean((x - mean(x))^2). ShapeError if empty.
Variable var(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Largest element; NaN if there is one. Elements that equal it share the gradient equally, as in
/// PyTorch's amax. ShapeError if empty.
Variable max(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Smallest element, likewise.
Variable min(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Product; 1 if empty. Its derivatives are right where elements are 0.
Variable prod(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// Euclidean norm sqrt(sum(x^2)), without overflow of the squares; 0 if empty. Its gradient at 0
/// is 0.
///   dL/dx = g x / y
Variable norm(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);
/// log(sum(exp(x))), computed from x - max(x), so that no exponential overflows; -infinity if empty
/// or if all elements are -infinity.
///   dL/dx = g exp(x - y)
Variable logsumexp(const Variable& x, const Axes& axes = {}, KeepDims keep = KeepDims::no);

/// Index of the largest element along an axis: of the first NaN if there is one, else of the first
/// of the largest. Has no gradient. ShapeError if empty.
Indices argmax(const Variable& x, int axis, KeepDims keep = KeepDims::no);
/// Row-major position of the largest of all elements, of shape (). ShapeError if x is empty.
Indices argmax(const Variable& x);

/// Sums the axes along which `shape` broadcasts to x's shape: the backward of broadcasting.
/// ShapeError when it does not broadcast to that.
Variable sum_to(const Variable& x, const Shape& shape);

}  // namespace hindsight
