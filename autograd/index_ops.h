#pragma once
#include <hindsight/autograd/indices.h>
#include <hindsight/autograd/variable.h>

namespace hindsight {

/// Rows of a table by index (an embedding): table (V, ...), indices (any shape S) -> (S..., ...).
/// The backward adds each row's gradient to the row it came from. IndexError names an index outside
/// [0, V).
Variable take(const Variable& table, const Indices& indices);

/// The opposite: zeros of `rows` rows, with row i of values (S..., ...) added to row indices[i].
Variable scatter_rows(const Variable& values, const Indices& indices, Size rows);

}  // namespace hindsight
