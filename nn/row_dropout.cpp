#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/nn/row_dropout.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace hindsight::nn {
namespace {

thread_local RowsFrom* current_rows = nullptr;

/// The finalizer of SplitMix64 (Steele, Lea & Flood 2014, doi 10.1145/2660193.2660195): numbers in
/// sequence become random ones, in any order.
std::uint64_t mixed(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

constexpr std::uint64_t kElementStep = 0x9E3779B97F4A7C15u, kRowStep = 0xD1342543DE82EF95u;

/// Where the numbers of a row of the batch begin.
std::uint64_t row_key(std::uint64_t seed, Size row) {
  return mixed(seed + static_cast<std::uint64_t>(row + 1) * kRowStep);
}

/// What the numbers of a call follow from.
struct Seed {
  explicit Seed(Rng& rng)
      : value(RowsFrom::current() ? RowsFrom::current()->draw(rng) : rng.bits()),
        first_row(RowsFrom::current() ? RowsFrom::current()->first() : 0) {}
  std::uint64_t value;
  Size first_row;
};

/// Writes `count` elements of a mask: 0 where a random number of 32 bits is less than `limit`. Each
/// number of 64 bits serves two elements, `half` apart, so that the loops vectorize.
template <class T>
void fill_mask(T* mask, Size count, std::uint64_t key, std::uint32_t limit, T kept) {
  const Size both = count / 2, half = count - both;
  const auto number = [&](Size i) {
    return mixed(key + static_cast<std::uint64_t>(i) * kElementStep);
  };
  for (Size i = 0; i < both; ++i) {
    const std::uint64_t bits = number(i);
    mask[i] = static_cast<std::uint32_t>(bits) < limit ? T(0) : kept;
    mask[half + i] = static_cast<std::uint32_t>(bits >> 32) < limit ? T(0) : kept;
  }
  if (half > both) mask[both] = static_cast<std::uint32_t>(number(both)) < limit ? T(0) : kept;
}

/// The mask for x, of 0 and 1 / (1 - rate), its first row being `first` of the batch.
Tensor row_mask(const Shape& shape, DType dtype, int row_axis, double rate, std::uint64_t seed,
                Size first) {
  const Tensor mask(shape, dtype);
  Size outer = 1, inner = 1;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (axis < row_axis) outer *= shape[axis];
    if (axis > row_axis) inner *= shape[axis];
  }
  const Size rows = shape.rank() == 0 ? 1 : shape[row_axis];
  const auto limit = static_cast<std::uint32_t>(rate * 0x1p32);
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    T* values = mask.data<T>();
    for (Size o = 0; o < outer; ++o) {
      for (Size row = 0; row < rows; ++row, values += inner) {
        const std::uint64_t key = row_key(seed, first + row);
        const auto start = static_cast<std::uint64_t>(o * ((inner + 1) / 2) + 1);
        fill_mask(values, inner, key + start * kElementStep, limit, static_cast<T>(1 / (1 - rate)));
      }
    }
  });
  return mask;
}

}  // namespace

Variable dropout_by_row(const Variable& x, int row_axis, double rate, Rng& rng) {
  check_given("dropout", x);
  if (rate == 0) return x;
  const int axis = x.rank() == 0 ? 0 : checked_axis("dropout", row_axis, x);
  return x * Variable(dropout_mask_by_row(x.shape(), x.dtype(), axis, rate, rng));
}

Tensor dropout_mask_by_row(const Shape& shape, DType dtype, int row_axis, double rate, Rng& rng) {
  if (!(rate >= 0 && rate < 1)) fail<OptionError>("dropout: rate {} is outside of [0, 1)", rate);
  const Seed seed(rng);
  return row_mask(shape, dtype, row_axis, rate, seed.value, seed.first_row);
}

Tensor numbers_by_row(Size rows, Rng& rng) {
  const Seed seed(rng);
  const Tensor numbers(Shape{rows, 1}, DType::f64);
  double* values = numbers.data<double>();
  for (Size row = 0; row < rows; ++row)
    values[row] = static_cast<double>(row_key(seed.value, seed.first_row + row) >> 12);
  return numbers;
}

RowsFrom::RowsFrom(Size first) : first_(first), outer_(std::exchange(current_rows, this)) {}
RowsFrom::~RowsFrom() { current_rows = outer_; }
RowsFrom* RowsFrom::current() { return current_rows; }

// The copy has the state that its generator had at its own first use, which is what a RandomRun
// notes; when the run is repeated, that is the state it sets the copy to.
std::uint64_t RowsFrom::draw(Rng& rng) {
  auto found = std::find_if(copies_.begin(), copies_.end(),
                            [&](const Copied& c) { return c.original == &rng; });
  if (found == copies_.end()) {
    copies_.emplace_front(rng);
    found = copies_.begin();
  }
  return found->copy.bits();
}

void RowsFrom::advance_generators() {
  for (const Copied& c : copies_) *c.original = c.copy;
}

}  // namespace hindsight::nn
