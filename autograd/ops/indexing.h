#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>

namespace hindsight {

/// Rows of a table by index (an embedding). table: (V, ...), indices: any shape S -> (S..., ...).
/// Backward adds each row's gradient to the row it came from. IndexError naming an index outside of
/// [0, V).
Variable take(const Variable& table, const Indices& indices);

/// The transpose of take: zeros with row i of the values added to row indices[i]. values:
/// (S..., ...), indices: S -> (rows, ...). ShapeError when these do not fit, IndexError naming an
/// index outside of [0, rows).
Variable scatter_rows(const Variable& values, const Indices& indices, Size rows);

/// One element of x for every index, its position along `axis`: y[i, j] = x[i, indices[i, j]] for
/// axis 1 of two (PyTorch's gather). The indices have x's rank and are no longer than x along the
/// other axes; the result has their shape. ShapeError when they do not fit, IndexError naming an
/// index out of range.
///   dL/dx = scatter_add(0, axis, indices, g)
Variable gather(const Variable& x, int axis, const Indices& indices);

/// x with values added where gather would read: y[i, indices[i, j]] += values[i, j] for axis 1 of
/// two. The values have the indices' shape, the result that of x. Errors as for gather.
///   dL/dx = g   dL/dvalues = gather(g, axis, indices)
Variable scatter_add(const Variable& x, int axis, const Indices& indices, const Variable& values);

/// 1 at each index of a new last axis, else 0: (...) -> (..., classes). IndexError naming an index
/// outside of [0, classes).
Tensor one_hot(const Indices& indices, Size classes, DType dtype = DType::f32);

}  // namespace hindsight
