#pragma once
#include <fmt/format.h>
#include <hindsight/autograd/error.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace hindsight {

using Size = std::int64_t;

constexpr int kMaxRank = 6;
constexpr Size kMostElements = Size{1} << 50;  // so that no number of bytes overflows

/// Element type of a tensor, a property at run time: a model is trained in f32 and checked in f64.
enum class DType : std::uint8_t { f32, f64 };

const char* name(DType dtype);
constexpr Size bytes_of(DType dtype) { return dtype == DType::f32 ? 4 : 8; }

template <class T>
constexpr DType dtype_of = sizeof(T) == 4 ? DType::f32 : DType::f64;

/// Calls `f` with a zero of the C++ type that `dtype` stands for.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  if (dtype == DType::f32) return f(float{});
  return f(double{});
}

/// Sizes of up to six axes, kept inline. Rank 0 is a scalar.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Size> sizes) {
    for (Size size : sizes) push_back(size);
  }

  int rank() const { return words_[kRank]; }
  Size operator[](int axis) const { return words_[static_cast<std::size_t>(axis)]; }
  Size back() const { return (*this)[rank() - 1]; }
  /// The product of all sizes; ShapeError past kMostElements.
  Size elements() const {
    Size count = 1;
    bool overflows = false;
    for (int i = 0; i < rank(); ++i) overflows |= __builtin_mul_overflow(count, (*this)[i], &count);
    return overflows || count > kMostElements ? elements_of_many() : count;
  }
  /// Appends an axis; ShapeError past rank 6, for a negative size or one above 2^31 - 1.
  void push_back(Size size) {
    if (rank() == kMaxRank || size < 0 || size > INT32_MAX) refuse(size);
    set(words_[kRank]++, size);
  }
  void set(int axis, Size size) {
    words_[static_cast<std::size_t>(axis)] = static_cast<std::int32_t>(size);
  }
  void erase(int axis) {
    for (int i = axis; i + 1 < rank(); ++i) set(i, (*this)[i + 1]);
    set(--words_[kRank], 0);
  }
  void insert(int axis, Size size);

  bool operator==(const Shape& other) const {
    std::int32_t difference = 0;  // without branches: one vector comparison
    for (std::size_t i = 0; i < words_.size(); ++i) difference |= words_[i] ^ other.words_[i];
    return difference == 0;
  }
  bool operator!=(const Shape& other) const { return !(*this == other); }

  std::string to_string() const;  ///< "(100, 32, 64)"
  [[noreturn]] void refuse_size() const;

 private:
  [[noreturn]] void refuse(Size size) const;
  Size elements_of_many() const;

  static constexpr std::size_t kRank = kMaxRank;
  std::array<std::int32_t, kMaxRank + 2> words_{};  // sizes, zeros past the rank; the rank; a zero
};

/// Where the elements of a strided view lie in its buffer, in elements.
struct Layout {
  Shape shape;
  std::array<std::int32_t, kMaxRank> strides{};
  Size offset = 0;

  Layout() = default;
  /// Row-major, without gaps, from the start of the buffer. ShapeError past kMostElements, or for a
  /// stride above 2^31 - 1.
  explicit Layout(const Shape& contiguous_shape) : shape(contiguous_shape) {
    // Unsigned, as it may wrap after a stride that is too large: its bits stay in `all`.
    std::uint64_t stride = 1, all = 0;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      strides[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(stride);
      all |= shape[i] != 1 ? stride : 0;  // along one element it means nothing
      stride *= static_cast<std::uint64_t>(shape[i]);
    }
    if (all > INT32_MAX || stride > static_cast<std::uint64_t>(kMostElements)) shape.refuse_size();
  }

  int rank() const { return shape.rank(); }
  Size stride(int axis) const { return strides[static_cast<std::size_t>(axis)]; }
  /// ShapeError for a stride beyond 32 bits, unless the axis has one element, which it leads
  /// nowhere from.
  void set_stride(int axis, Size stride) {
    const auto narrow = static_cast<std::int32_t>(stride);
    if (narrow != stride && shape[axis] > 1) refuse_stride(stride);
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

  /// `step` means nothing for a count of less than two.
  Layout slice(int axis, Size start, Size count, Size step = 1) const {
    Layout result = *this;
    result.offset += start * stride(axis);
    result.shape.set(axis, count);
    if (count > 1) result.set_stride(axis, stride(axis) * step);
    return result;
  }
  /// One index of an axis, the axis dropped.
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
  Layout broadcast_to(const Shape& wider) const;  ///< stride 0 along the axes that repeat
  /// The same elements under another shape, or false where that needs a copy.
  bool reshape(const Shape& wanted, Layout* result) const;
  /// Positions of the first and the last of the elements in memory; there must be some.
  std::pair<Size, Size> range() const;

 private:
  [[noreturn]] void refuse_stride(Size stride) const;
};

/// Axes named in a call, kept inline; negative ones count from the end.
class Axes {
 public:
  Axes() = default;
  Axes(std::initializer_list<int> axes) {  // NOLINT: {0, -1} is how they are named
    for (int axis : axes) push_back(axis);
  }
  Axes(const std::vector<int>& axes) {  // NOLINT
    for (int axis : axes) push_back(axis);
  }
  const int* begin() const { return axes_.data(); }
  const int* end() const { return axes_.data() + count_; }
  int size() const { return count_; }
  bool empty() const { return count_ == 0; }
  int operator[](int i) const { return axes_[static_cast<std::size_t>(i)]; }
  void push_back(int axis) {
    if (count_ == kMaxRank) fail<IndexError>("axes: at most {} can be named", kMaxRank);
    axes_[static_cast<std::size_t>(count_++)] = axis;
  }

 private:
  std::array<int, kMaxRank> axes_{};
  int count_ = 0;
};

/// The axis counted from the front (axis -1 is the last); IndexError naming `op` when out of range.
int checked_axis(const char* op, int axis, int rank);

/// The indices of an element along each axis, given its row-major position.
std::vector<Size> indices_of(Size position, const Shape& shape);
/// The same as text: "[2, 0]".
std::string index_text(Size position, const Shape& shape);

/// Whether `from` broadcasts to exactly `to` by NumPy's rules.
inline bool broadcasts_to(const Shape& from, const Shape& to) {
  const int extra = to.rank() - from.rank();
  for (int i = from.rank() - 1; i >= 0 && extra >= 0; --i) {
    if (from[i] != to[i + extra] && from[i] != 1) return false;
  }
  return extra >= 0;
}

/// The shape both broadcast to by NumPy's rules; ShapeError naming `op` where they do not fit.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

}  // namespace hindsight

template <>
struct fmt::formatter<hindsight::Shape> {
  template <class Context>
  constexpr auto parse(Context& context) {
    return context.begin();
  }
  template <class Context>
  auto format(const hindsight::Shape& shape, Context& context) const {
    return fmt::format_to(context.out(), "{}", shape.to_string());
  }
};
