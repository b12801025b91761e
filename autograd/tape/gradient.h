#pragma once
#include <hindsight/autograd/tensor/tensor.h>

#include <utility>

namespace hindsight {

/// The gradient of one value while it is accumulated: memory of the value's shape, row-major, and
/// which part of it is written. The first write to a part assigns, later ones add, so no memory is
/// zeroed only to be overwritten.
///
/// The written part is a few rectangles of (rows, columns), with the last axis as columns: time
/// steps and gate chunks of a sequence merge into one rectangle as the sweep fills it.
///
/// Values that receive the same gradient, such as the addends of a sum, may share memory
/// (copy-on-write): the first one to receive another contribution moves to memory of its own.
/// Regions, offsets in layouts and rectangles are in elements; offsets into a buffer are in bytes.
class Gradient {
 public:
  Gradient() = default;
  Gradient(Gradient&& other) noexcept { swap(other); }
  Gradient& operator=(Gradient&& other) noexcept {
    Gradient taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Gradient() { drop_rectangles(); }

  /// Where to write the gradient of a view.
  struct Target {
    std::byte* base = nullptr;  ///< element 0 of the whole value's gradient: add the view's offset
    bool accumulate = false;    ///< add to the memory; otherwise every element must be assigned
  };

  bool allocated() const { return static_cast<bool>(buffer_); }
  bool shared() const { return lent_ || borrowed_; }
  const Buffer& buffer() const { return buffer_; }
  bool empty() const { return count_ == 0 && !full_; }

  /// Allocates the memory now instead of at the first write.
  void reserve(const Shape& whole, DType dtype) {
    if (!buffer_) place(Buffer(whole.elements() * bytes_of(dtype)), 0);
  }
  /// Uses the memory at `offset` bytes into `buffer`.
  void place(Buffer buffer, Size offset) {
    buffer_ = std::move(buffer);
    offset_ = offset;
  }
  /// Memory for a whole value of `bytes` bytes; only when there is none. Marks it written.
  Target first_target(Size bytes) {
    buffer_ = Buffer(bytes);
    offset_ = 0;
    full_ = true;
    return {buffer_.data<std::byte>(), false};
  }
  /// Memory for `region` of a value of shape `whole`; marks it written.
  Target target(const Layout& region, const Shape& whole, DType dtype);
  /// Whether this gradient can share the memory of `lender` (copy-on-write), starting `shift` bytes
  /// after its start, for `regions` parts of the value, of which `region` is one.
  bool may_borrow(const Gradient& lender, Size shift, const Layout& region, const Shape& whole,
                  int regions) const;
  /// Shares the lender's memory and marks `region` written, because the lender's values are there.
  void borrow(Gradient& lender, Size shift, const Layout& region, const Shape& whole);
  /// Zeros the parts that are not written and marks everything written.
  void complete(const Shape& whole, DType dtype);
  /// The gradient of a view of a value of shape `whole`; parts that are not written are zero.
  Tensor read(const Layout& region, const Shape& whole, DType dtype);
  Tensor read(const Shape& whole, DType dtype) { return read(Layout(whole), whole, dtype); }
  /// The memory of a view, whether written or not; there must be some (allocated()).
  Tensor memory(const Layout& region, DType dtype) const {
    Layout layout = region;
    layout.offset += offset_ / bytes_of(dtype);
    return {buffer_, layout, dtype};
  }
  std::byte* base() const { return buffer_.data<std::byte>() + offset_; }
  /// Takes over the memory of `dense` (contiguous, of the whole shape); only when empty.
  void adopt(const Tensor& dense);
  /// Marks nothing written; the memory is kept for the next sum.
  void clear() {
    count_ = 0;
    full_ = false;
  }
  void release() {
    clear();
    drop_rectangles();
    buffer_.reset();
    lent_ = borrowed_ = false;
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
    /// Extends to include `r` and returns true, if their union is a rectangle.
    bool absorb(const Rectangle& r);
  };
  /// The rectangle that a view covers in rows of `columns` elements; false if it covers none
  /// (transposed, stepped or repeated elements).
  static bool rectangle_of(const Layout& region, Size columns, Rectangle* result);

 private:
  static constexpr int kRectangles = 6;  // an unrolled LSTM needs three

  bool written(const Layout& region, const Shape& whole) const;
  void insert(Rectangle r, Size rows, Size columns);
  Target claim(const Layout& region, const Shape& whole, DType dtype);
  void move_out(const Shape& whole, DType dtype);

  void drop_rectangles() {
    if (written_)
      pool::release(std::exchange(written_, nullptr), kRectangles * sizeof(Rectangle), 0);
  }
  void swap(Gradient& other) noexcept {
    std::swap(buffer_, other.buffer_);
    std::swap(offset_, other.offset_);
    std::swap(written_, other.written_);
    std::swap(count_, other.count_);
    std::swap(full_, other.full_);
    std::swap(lent_, other.lent_);
    std::swap(borrowed_, other.borrowed_);
    std::swap(moved_, other.moved_);
  }

  Buffer buffer_;
  Size offset_ = 0;               // bytes into buffer_
  Rectangle* written_ = nullptr;  // kRectangles, the first count_ valid; null until the first
  std::int32_t count_ = 0;
  bool full_ = false;
  bool lent_ = false;      // other gradients share this one's memory
  bool borrowed_ = false;  // shares the memory of another gradient
  bool moved_ = false;     // sharing ended in a copy: it is not tried again
};

}  // namespace hindsight
