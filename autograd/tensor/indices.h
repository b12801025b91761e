#pragma once
#include <hindsight/autograd/tensor/tensor.h>

#include <vector>

namespace hindsight {

/// Whole numbers with a shape: symbols, class targets, positions. Copying shares the memory.
/// Indices that were default-constructed or moved from are empty (false); using them is an Error.
class Indices {
 public:
  Indices() = default;
  /// Uninitialised memory.
  explicit Indices(const Shape& shape) : buffer_(shape.elements() * 8), shape_(shape) {}
  /// Row-major `values`; ShapeError when their number is not that of the shape.
  template <class Integer>
  Indices(const std::vector<Integer>& values, const Shape& shape) : Indices(shape) {
    static_assert(std::is_integral_v<Integer>, "Indices: whole numbers are needed");
    check_count(static_cast<Size>(values.size()));
    std::int64_t* to = data();
    for (std::size_t i = 0; i < values.size(); ++i) to[i] = static_cast<std::int64_t>(values[i]);
  }
  template <class Integer>
  Indices(const std::vector<Integer>& values)  // NOLINT: converting is the point
      : Indices(values, Shape{static_cast<Size>(values.size())}) {}

  explicit operator bool() const { return static_cast<bool>(buffer_); }
  const Shape& shape() const { return shape_; }
  Size elements() const { return shape_.elements(); }
  std::int64_t* data() const {
    if (!buffer_) throw_empty();
    return buffer_.data<std::int64_t>() + offset_;
  }
  /// The element at row-major position i, which is not checked.
  std::int64_t operator[](Size i) const { return data()[i]; }
  /// Row t of the first axis, as a view. IndexError when out of range.
  Indices row(Size t) const;
  /// `count` rows from `start` on, as a view. IndexError when out of range.
  Indices rows(Size start, Size count) const;
  /// Error naming `op` when the Indices are empty.
  void check_given(const char* op) const;
  /// The same, and IndexError naming `op` and `what` an element is unless all are in [0, end).
  void check_range(const char* op, const char* what, Size end) const;

 private:
  [[noreturn]] static void throw_empty();
  void check_count(Size count) const;

  Buffer buffer_;
  Shape shape_;
  Size offset_ = 0;
};

}  // namespace hindsight
