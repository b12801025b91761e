#pragma once
#include <hindsight/autograd/tensor/layout.h>
#include <hindsight/autograd/tensor/pool.h>
#include <hindsight/autograd/tensor/xtensor.h>

#include <atomic>
#include <initializer_list>
#include <utility>
#include <vector>

namespace hindsight {

/// Shared ownership of one block of pooled memory. Counted atomically: copies may be used by
/// several threads.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(Size bytes)
      : header_(new (pool::allocate(kHeader + static_cast<std::size_t>(bytes)))
                    Header{{1}, static_cast<std::size_t>(bytes)}) {}
  Buffer(const Buffer& other) : header_(other.header_) {
    if (header_) header_->owners.fetch_add(1, std::memory_order_relaxed);
  }
  Buffer(Buffer&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Buffer() { reset(); }

  void reset() {
    if (header_ && (unique() || header_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1)) {
      pool::release(header_, kHeader + header_->bytes);
    }
    header_ = nullptr;
  }
  explicit operator bool() const { return header_ != nullptr; }
  bool operator==(const Buffer& other) const { return header_ == other.header_; }
  bool unique() const { return header_->owners.load(std::memory_order_acquire) == 1; }
  Size bytes() const { return static_cast<Size>(header_->bytes); }
  template <class T>
  T* data() const {
    return reinterpret_cast<T*>(reinterpret_cast<char*>(header_) + kHeader);
  }

 private:
  struct Header {
    std::atomic<std::uint32_t> owners;
    std::size_t bytes;
  };
  static constexpr std::size_t kHeader = pool::kAlignment;  // keeps the data on a cache line

  Header* header_ = nullptr;
};

/// A strided view of pooled memory: values without derivatives. Copying shares the memory. A Tensor
/// that was default-constructed or moved from is empty (false); using its elements is an Error.
class Tensor {
 public:
  Tensor() = default;
  /// Uninitialised memory.
  Tensor(const Shape& shape, DType dtype)
      : layout_(shape), buffer_(shape.elements() * bytes_of(dtype)), dtype_(dtype) {}
  Tensor(Buffer buffer, const Layout& layout, DType dtype)
      : layout_(layout), buffer_(std::move(buffer)), dtype_(dtype) {}
  /// Evaluates an xtensor expression; its element type, float or double, becomes the dtype.
  template <class E>
  Tensor(const xt::xexpression<E>& expression);  // NOLINT: converting is the point

  static Tensor full(const Shape& shape, double value, DType dtype = DType::f32);
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32) {
    return full(shape, 0, dtype);
  }
  /// Row-major `values`; ShapeError when their number is not that of the shape.
  static Tensor from(const std::vector<double>& values, const Shape& shape,
                     DType dtype = DType::f32);

  explicit operator bool() const { return static_cast<bool>(buffer_); }
  const Shape& shape() const { return layout_.shape; }
  Size size(int axis) const { return layout_.shape[axis]; }
  int rank() const { return layout_.rank(); }
  Size elements() const { return layout_.shape.elements(); }
  DType dtype() const { return dtype_; }
  const Layout& layout() const { return layout_; }
  const Buffer& buffer() const { return buffer_; }
  bool contiguous() const { return layout_.contiguous(); }

  /// Pointer to the first element. Precondition, not checked: T is the C++ type of the dtype.
  /// Anything else is undefined behaviour.
  template <class T>
  T* data() const {
    static_assert(std::is_floating_point_v<T>);
    check_given("data");
    return buffer_.data<T>() + layout_.offset;
  }
  std::byte* bytes() const {
    check_given("bytes");
    return buffer_.data<std::byte>() + layout_.offset * bytes_of(dtype_);
  }
  /// The elements as an xtensor adaptor that shares this memory; DTypeError when T is not the C++
  /// type of the dtype. (xtensor's `a += number` treats strided elements as dense ones: write
  /// `a = a + number`.)
  template <class T>
  auto array() const;

  /// One element by its row-major position; IndexError when out of range. Each call is O(rank) and
  /// dispatches on the dtype: loops over many elements should use data().
  double at(Size position) const;
  void set(Size position, double value) const;
  /// The value of a tensor of one element; ShapeError for others.
  double item() const;
  std::vector<double> to_vector() const;  ///< row-major

  /// The same memory in another layout, whose offset counts from the start of the buffer.
  /// Precondition, not checked: all its elements are within the buffer.
  Tensor view(const Layout& layout) const {
    check_given("view");
    return {buffer_, layout, dtype_};
  }
  Tensor contiguous_copy() const;
  /// Itself when contiguous, else a contiguous copy.
  Tensor dense() const {
    check_given("dense");
    return contiguous() ? *this : contiguous_copy();
  }
  Tensor to(DType dtype) const;  ///< itself when it has this dtype, else a converted copy
  void fill(double value) const;

 private:
  void check_given(const char* use) const {
    if (!buffer_) throw_empty(use);
  }
  [[noreturn]] static void throw_empty(const char* use);
  void check_type(DType wanted) const;

  Layout layout_;  // before the buffer, because its constructor rejects oversized shapes
  Buffer buffer_;
  DType dtype_ = DType::f32;
};

/// to = from, or to += from when `accumulate`. `from` broadcasts; both may be strided and of
/// different types, and they may overlap. ShapeError when `from` does not broadcast to the shape of
/// `to`, Error when either is empty.
void copy(const Tensor& from, const Tensor& to, bool accumulate = false);

/// to = x summed over the axes along which `to` has one element and x has more, in double and
/// rounded once at the end. Both have the same rank; the other axes agree. Not checked.
void sum_into(const Tensor& x, const Tensor& to);
/// x summed to `shape`, over the axes along which `shape` broadcasts to that of x; rounded
/// likewise. ShapeError when it does not broadcast.
Tensor sum_to(const Tensor& x, const Shape& shape);

/// True if no element is NaN or infinite.
bool all_finite(const Tensor& tensor);

template <class E>
Tensor::Tensor(const xt::xexpression<E>& expression) {
  const E& source = expression.derived_cast();
  using T = std::decay_t<typename E::value_type>;
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>,
                "Tensor: the xtensor expression must hold float or double");
  Shape shape;
  for (auto size : source.shape()) shape.push_back(static_cast<Size>(size));
  *this = Tensor(shape, dtype_of<T>);
  array<T>() = source;
}

template <class T>
auto Tensor::array() const {
  check_given("array");
  check_type(dtype_of<T>);
  std::vector<std::size_t> shape(static_cast<std::size_t>(rank()));
  std::vector<std::ptrdiff_t> strides(shape.size());
  for (int i = 0; i < rank(); ++i) {
    shape[static_cast<std::size_t>(i)] = static_cast<std::size_t>(size(i));
    strides[static_cast<std::size_t>(i)] = layout_.stride(i);
  }
  // A view of the flat memory: xtensor's adaptors would also write the gaps between strided rows.
  const auto span = static_cast<std::size_t>(buffer_.bytes() / bytes_of(dtype_) - layout_.offset);
  auto flat = xt::adapt(data<T>(), span, xt::no_ownership(), std::array<std::size_t, 1>{span});
  using View = xt::xstrided_view<decltype(flat), std::vector<std::size_t>>;
  return View(std::move(flat), std::move(shape), std::move(strides), 0, xt::layout_type::dynamic);
}

}  // namespace hindsight
