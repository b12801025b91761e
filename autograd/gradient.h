#pragma once
#include <hindsight/autograd/tensor.h>

#include <array>

namespace hindsight {

/// The gradient of one value while it is being summed up: memory of the value's shape, row-major,
/// and which part of it is written. The first write to a part assigns, later ones add, so nothing
/// is filled with zeros that a write covers anyway.
///
/// The written part is kept as a few rectangles of (rows, columns), with the last axis as columns:
/// time steps and gate chunks of a sequence merge into one rectangle as the sweep fills it.
class Gradient {
 public:
  /// Where to write the gradient of a view.
  struct Target {
    std::byte* base = nullptr;  ///< element 0 of the whole value's gradient: add the view's offset
    bool accumulate = false;    ///< add to what is there; otherwise every element must be assigned
  };

  bool allocated() const { return static_cast<bool>(buffer_); }
  const Buffer& buffer() const { return buffer_; }
  bool empty() const { return count_ == 0 && !full_; }

  /// Takes memory now instead of at the first write.
  void reserve(const Shape& whole, DType dtype) {
    if (!buffer_) place(Buffer(whole.elements() * bytes_of(dtype)), 0);
  }
  /// Memory for the first write, `offset` bytes into `buffer`.
  void place(Buffer buffer, Size offset) {
    buffer_ = std::move(buffer);
    offset_ = offset;
  }
  /// Memory for `region` of a value of shape `whole`; marks it written.
  Target target(const Layout& region, const Shape& whole, DType dtype);
  /// Fills what is not written with zeros and marks everything written.
  void complete(const Shape& whole, DType dtype);
  /// The gradient of a view of a value of shape `whole`; what of it is not written counts as zero.
  Tensor read(const Layout& region, const Shape& whole, DType dtype);
  Tensor read(const Shape& whole, DType dtype) { return read(Layout(whole), whole, dtype); }
  /// Takes over `dense` (contiguous, of the whole shape) as the value; only when empty.
  void adopt(const Tensor& dense);
  /// Forgets what is written but keeps the memory for the next sums.
  void forget() {
    count_ = 0;
    full_ = false;
  }
  void release() {
    forget();
    buffer_.reset();
  }

  struct Rectangle {
    Size row, row_end, column, column_end;
    bool contains(const Rectangle& r) const {
      return row <= r.row && r.row_end <= row_end && column <= r.column &&
             r.column_end <= column_end;
    }
    bool disjoint(const Rectangle& r) const {
      return r.row_end <= row || row_end <= r.row || r.column_end <= column ||
             column_end <= r.column;
    }
    /// Extends over `r` where the union is a rectangle again.
    bool absorb(const Rectangle& r);
  };
  /// The rectangle a view covers in rows of `columns`; false for views that cover none (transposed,
  /// stepped or repeated elements).
  static bool rectangle_of(const Layout& region, Size columns, Rectangle* result);

 private:
  static constexpr int kRectangles = 6;  // an unrolled LSTM needs three

  bool written(const Layout& region, const Shape& whole) const;
  void insert(Rectangle r, Size rows, Size columns);
  std::byte* base() const { return buffer_.data<std::byte>() + offset_; }

  Buffer buffer_;
  Size offset_ = 0;
  int count_ = 0;
  bool full_ = false;
  Rectangle written_[kRectangles];  // the first count_ are valid
};

}  // namespace hindsight
