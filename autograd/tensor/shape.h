#pragma once
#include <fmt/format.h>
#include <hindsight/autograd/tensor/dtype.h>
#include <hindsight/autograd/tensor/error.h>

#include <array>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

namespace hindsight {

constexpr int kMaxRank = 6;
constexpr Size kMostElements = Size{1} << 50;  // no number of bytes overflows

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
  /// The product of all sizes; ShapeError above kMostElements.
  Size elements() const {
    Size count = 1;
    bool overflows = false;
    for (int i = 0; i < rank(); ++i) overflows |= __builtin_mul_overflow(count, (*this)[i], &count);
    return overflows || count > kMostElements ? elements_of_many() : count;
  }
  /// Appends an axis; ShapeError beyond rank 6, for a negative size or one above 2^31 - 1.
  void push_back(Size size) {
    if (rank() == kMaxRank || size < 0 || size > INT32_MAX) throw_bad_axis(size);
    set(words_[kRank]++, size);
  }
  /// Changes the size of an axis; neither argument is checked.
  void set(int axis, Size size) {
    words_[static_cast<std::size_t>(axis)] = static_cast<std::int32_t>(size);
  }
  void erase(int axis) {
    for (int i = axis; i + 1 < rank(); ++i) set(i, (*this)[i + 1]);
    set(--words_[kRank], 0);
  }
  void insert(int axis, Size size);

  bool operator==(const Shape& other) const {
    return std::memcmp(words_.data(), other.words_.data(), sizeof words_) == 0;
  }
  bool operator!=(const Shape& other) const { return !(*this == other); }

  std::string to_string() const;  ///< "(100, 32, 64)"
  [[noreturn]] void throw_too_large() const;

 private:
  [[noreturn]] void throw_bad_axis(Size size) const;
  Size elements_of_many() const;

  static constexpr std::size_t kRank = kMaxRank;
  std::array<std::int32_t, kMaxRank + 2> words_{};  // sizes, then zeros; the rank; a zero
};

/// Axes given to an operation, kept inline; negative ones count from the end.
class Axes {
 public:
  Axes() = default;
  Axes(std::initializer_list<int> axes) {  // NOLINT: calls write {0, -1}
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
    if (count_ == kMaxRank) fail<IndexError>("axes: at most {} are supported", kMaxRank);
    axes_[static_cast<std::size_t>(count_++)] = axis;
  }

 private:
  std::array<int, kMaxRank> axes_{};
  int count_ = 0;
};

/// The axis counted from the front (-1 is the last); IndexError naming `op` when out of range.
int checked_axis(const char* op, int axis, int rank);

/// Indices of an element along each axis, from its row-major position.
std::vector<Size> indices_of(Size position, const Shape& shape);
/// The same as text: "[2, 0]".
std::string index_text(Size position, const Shape& shape);

/// Whether `from` broadcasts to `to` by NumPy's rules.
inline bool broadcasts_to(const Shape& from, const Shape& to) {
  const int extra = to.rank() - from.rank();
  for (int i = from.rank() - 1; i >= 0 && extra >= 0; --i) {
    if (from[i] != to[i + extra] && from[i] != 1) return false;
  }
  return extra >= 0;
}

/// The shape that both broadcast to by NumPy's rules; ShapeError naming `op` when there is none.
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
