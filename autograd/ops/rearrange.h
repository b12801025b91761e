#pragma once
#include <hindsight/autograd/elementwise/elementwise.h>

#include <array>
#include <vector>

/// Rearranging values. Slices, chunks, transposes and (where the layout allows) reshapes are views:
/// they copy nothing and record nothing, and their gradient is the same view of the whole value's
/// gradient.
namespace hindsight {

/// Elements start, start + step, ... (`count` of them) of `axis`. A view. IndexError when out of
/// range, ShapeError for a step that exceeds the largest stride.
Variable slice(const Variable& x, int axis, Size start, Size count, Size step = 1);
/// Two axes exchanged (the last two by default). A view.
Variable transpose(const Variable& x, int a = -2, int b = -1);
/// The axes in another order. A view. ShapeError unless there are as many axes as x has, IndexError
/// for one given twice.
Variable permute(const Variable& x, const Axes& axes);
/// The same elements, row-major, in another shape; one size may be -1, which is computed from the
/// others. A view where the layout allows (always of contiguous values), else a copy. ShapeError
/// when the number of elements differs.
Variable reshape(const Variable& x, const Shape& shape);
Variable reshape(const Variable& x, std::initializer_list<Size> sizes);
Variable squeeze(const Variable& x, int axis);    ///< drops an axis of one element
Variable unsqueeze(const Variable& x, int axis);  ///< inserts an axis of one element
/// Repeats axes of one element, by NumPy's rules.
Variable broadcast_to(const Variable& x, const Shape& shape);
/// The same values in row-major order without gaps; x itself when it is contiguous.
Variable contiguous(const Variable& x);

/// The parts joined along an existing axis. ShapeError when they differ along another one.
Variable concat(const std::vector<Variable>& parts, int axis);
/// Variables of one shape (ShapeError otherwise) joined along a new axis.
Variable stack(const std::vector<Variable>& parts, int axis = 0);
/// The slices along an axis, the axis dropped. Views.
std::vector<Variable> unstack(const Variable& x, int axis = 0);

/// Consecutive parts of these sizes along an axis. Views. ShapeError unless the sizes add up to
/// that of the axis.
std::vector<Variable> split(const Variable& x, const std::vector<Size>& sizes, int axis = 0);

/// Reverses the elements along each of the axes.
Variable flip(const Variable& x, const Axes& axes);
/// Reverses the first lengths[b] steps of each batch row; padding stays in place. x: (T, B, ...), B
/// lengths -> the same shape. ShapeError when the lengths do not fit.
///   y[t, b] = x[lengths[b] - 1 - t, b] for t < lengths[b]
Variable reverse_sequence(const Variable& x, const std::vector<Size>& lengths);
/// Adds elements of `value` before and after along an axis. IndexError for negative counts,
/// ShapeError for an axis above 2^31 - 1.
Variable pad(const Variable& x, int axis, Size before, Size after, double value = 0);

/// Zeros of shape `whole` with each part added at its region: the transpose of slicing. Regions
/// count from the start of the whole. ShapeError unless each part has its region's shape,
/// IndexError when a region exceeds the whole.
Variable assemble(const Shape& whole, const std::vector<Layout>& regions,
                  const std::vector<Variable>& parts);

namespace detail {
/// Part `index` of `count` of the last axis of a leaf, or the leaf if it is broadcast along it.
inline Variable chunk_of(const Variable& leaf, Size width, Size index, Size count) {
  const int last = leaf.rank() - 1;
  if (last < 0 || (leaf.size(last) == 1 && width != 1)) return leaf;
  const Size part = width / count;
  return {leaf.node(), leaf.layout().slice(last, index * part, part)};
}
[[noreturn]] void throw_bad_chunk(const Shape& shape, Size count);
template <class F, std::size_t... I>
auto array_of(F&& f, std::index_sequence<I...>) {
  return std::array{f(I)...};
}
}  // namespace detail

/// N equal parts of the last axis of a Variable (views) or of a delayed expression, which stays
/// delayed: the chunk of a sum is the sum of the chunks. ShapeError when the axis does not divide
/// by N.
template <std::size_t N, class E, class = detail::require_lazy<E>>
auto chunk(const E& e) {
  const auto& lazy = detail::operand(e);
  const Shape shape = lazy.shape();
  if (shape.rank() == 0 || shape.back() % static_cast<Size>(N) != 0)
    detail::throw_bad_chunk(shape, N);
  const auto part = [&](std::size_t i) {
    return detail::map_leaves(lazy, [&](const Variable& leaf) {
      return detail::chunk_of(leaf, shape.back(), static_cast<Size>(i), static_cast<Size>(N));
    });
  };
  return detail::array_of(part, std::make_index_sequence<N>{});
}

}  // namespace hindsight
