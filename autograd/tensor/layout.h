#pragma once
#include <hindsight/autograd/tensor/shape.h>

#include <utility>

namespace hindsight {

/// Where the elements of a strided view are stored in its buffer; strides and offset in elements.
struct Layout {
  Shape shape;
  std::array<std::int32_t, kMaxRank> strides{};
  Size offset = 0;

  Layout() = default;
  /// Row-major without gaps, from the start of the buffer. ShapeError above kMostElements elements
  /// or for a stride above 2^31 - 1.
  explicit Layout(const Shape& contiguous_shape) : shape(contiguous_shape) {
    // Unsigned, as it may wrap after a stride that is too large, whose bits stay in `all`.
    std::uint64_t stride = 1, all = 0;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      strides[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(stride);
      all |= shape[i] != 1 ? stride : 0;  // the stride of an axis of size 1 is irrelevant
      stride *= static_cast<std::uint64_t>(shape[i]);
    }
    if (all > INT32_MAX || stride > static_cast<std::uint64_t>(kMostElements))
      shape.throw_too_large();
  }

  int rank() const { return shape.rank(); }
  Size stride(int axis) const { return strides[static_cast<std::size_t>(axis)]; }
  /// ShapeError for a stride beyond 32 bits, unless the axis has one element or none, where the
  /// stride is irrelevant.
  void set_stride(int axis, Size stride) {
    const auto narrow = static_cast<std::int32_t>(stride);
    if (narrow != stride && shape[axis] > 1) throw_bad_stride(stride);
    strides[static_cast<std::size_t>(axis)] = narrow;
  }
  bool contiguous() const {
    Size expected = 1;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      if (shape[i] != 1 && stride(i) != expected) return false;
      expected *= shape[i];
    }
    return true;
  }
  bool operator==(const Layout& other) const {
    if (offset != other.offset || shape != other.shape) return false;
    for (int i = 0; i < rank(); ++i) {
      if (stride(i) != other.stride(i)) return false;
    }
    return true;
  }

  /// Elements start, start + step, ... (`count` of them) of an axis, not checked against its size.
  /// `step` is irrelevant for a count below two. ShapeError for a stride beyond 32 bits.
  Layout slice(int axis, Size start, Size count, Size step = 1) const {
    Layout result = *this;
    result.offset += start * stride(axis);
    result.shape.set(axis, count);
    if (count > 1) result.set_stride(axis, stride(axis) * step);
    return result;
  }
  /// One index of an axis, not checked against its size; the axis is dropped.
  Layout select(int axis, Size index) const {
    Layout result = *this;
    result.offset += index * stride(axis);
    result.shape.erase(axis);
    for (int i = axis; i + 1 < rank(); ++i) {
      result.strides[static_cast<std::size_t>(i)] = strides[static_cast<std::size_t>(i + 1)];
    }
    return result;
  }
  Layout permute(const std::array<int, kMaxRank>& axes) const;
  Layout broadcast_to(const Shape& wider) const;  ///< stride 0 along axes that repeat; unchecked
  /// Gives the same elements another shape of as many elements; false where that needs a copy.
  bool reshape(const Shape& wanted, Layout* result) const;
  /// Lowest and highest position of an element in the buffer, in elements; there must be one.
  std::pair<Size, Size> range() const;

 private:
  [[noreturn]] void throw_bad_stride(Size stride) const;
};

}  // namespace hindsight
