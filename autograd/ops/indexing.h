#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>

namespace hindsight {

/// Rows of a table by index (an embedding): table (V, ...), indices (any shape S) -> (S..., ...).
/// The backward adds each row's gradient to the row it came from. IndexError names an index outside
/// [0, V).
Variable take(const Variable& table, const Indices& indices);

/// The opposite: zeros of `rows` rows, with row i of values (S..., ...) added to row indices[i].
Variable scatter_rows(const Variable& values, const Indices& indices, Size rows);

/// One element of x for every index, by its place along `axis`: y[i, j] = x[i, indices[i, j]] for
/// axis 1 of two. Indices of x's rank, no longer than x along the other axes -> their shape.
/// ShapeError where they do not fit, IndexError names an index out of range. (PyTorch's gather.)
///   dL/dx = scatter_add(0, axis, indices, g)
Variable gather(const Variable& x, int axis, const Indices& indices);

/// x with values added where gather would read: y[i, indices[i, j]] += values[i, j] for axis 1 of
/// two. The values have the indices' shape. Errors as of gather.
///   dL/dx = g   dL/dvalues = gather(g, axis, indices)
Variable scatter_add(const Variable& x, int axis, const Indices& indices, const Variable& values);

/// 1 at each index of a new last axis, else 0: (...) -> (..., classes). IndexError names an index
/// outside [0, classes).
Tensor one_hot(const Indices& indices, Size classes, DType dtype = DType::f32);

}  // namespace hindsight
