#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/packing.h>

#include <algorithm>
#include <numeric>

namespace hindsight::nn::detail {
namespace {

/// The elements of `all`, in row-major order, at `positions`.
Indices elements_at(const Indices& all, const Indices& positions) {
  const Indices result(positions.shape());
  for (Size i = 0; i < result.elements(); ++i) result.data()[i] = all[positions[i]];
  return result;
}

/// x with its first two axes as one.
Variable rows_of(const Variable& x) {
  Shape shape = x.shape();
  const Size rows = shape[0] * shape[1];
  shape.erase(0);
  shape.set(0, rows);
  return reshape(x, shape);
}

Indices transposed(const Indices& x) {
  const Size rows = x.shape()[0], columns = x.shape()[1];
  const Indices result(Shape{columns, rows});
  for (Size i = 0; i < rows; ++i) {
    for (Size j = 0; j < columns; ++j) result.data()[j * rows + i] = x[i * columns + j];
  }
  return result;
}

Indices flipped(const Indices& x) {
  const Indices result(x.shape());
  const Size rows = x.shape()[0], columns = x.shape()[1];
  for (Size i = 0; i < rows; ++i)
    std::copy_n(x.row(rows - 1 - i).data(), columns, result.data() + i * columns);
  return result;
}

}  // namespace

Indices as_row(const Indices& x) {
  const Indices result(Shape{1, x.elements()});
  std::copy_n(x.data(), x.elements(), result.data());
  return result;
}

Packing::Packing(Size steps, Size batch, const std::vector<Size>& lengths, bool batch_first)
    : steps_(steps), batch_(batch), batch_first_(batch_first) {
  if (lengths.empty() || *std::min_element(lengths.begin(), lengths.end()) == steps) return;
  const auto length = [&](std::int64_t row) { return lengths[static_cast<std::size_t>(row)]; };
  order_ = Indices(Shape{batch});
  places_ = Indices(Shape{batch});
  std::int64_t* order = order_.data();
  std::iota(order, order + batch, 0);
  std::sort(order, order + batch, [&](std::int64_t a, std::int64_t b) {
    return length(a) != length(b) ? length(a) > length(b) : a < b;
  });
  sorts_ = !std::is_sorted(order, order + batch);
  for (Size place = 0; place < batch; ++place) places_.data()[order[place]] = place;
  for (Size place = 0; place < batch; ++place) lengths_.push_back(length(order[place]));

  offsets_.push_back(0);
  for (Size t = 0, rows = batch; t < lengths_.front(); ++t) {
    while (lengths_[static_cast<std::size_t>(rows - 1)] <= t) --rows;
    offsets_.push_back(offsets_.back() + rows);
  }
  positions_ = Indices(Shape{offsets_.back()});
  reversal_ = Indices(positions_.shape());
  std::int64_t *position = positions_.data(), *reversed = reversal_.data();
  for (Size t = 0; t < lengths_.front(); ++t) {
    for (Size place = 0; place < rows(t); ++place) {
      const Size row = order[place];
      *position++ = batch_first ? row * steps + t : t * batch + row;
      *reversed++ = offset(length(row) - 1 - t) + place;
    }
  }
}

Variable Packing::pack(const Variable& unpacked) const {
  if (ragged()) return take(rows_of(unpacked), positions_);
  return batch_first_ ? contiguous(transpose(unpacked, 0, 1)) : unpacked;
}

Indices Packing::pack(const Indices& unpacked) const {
  if (ragged()) return elements_at(unpacked, positions_);
  return batch_first_ ? transposed(unpacked) : unpacked;
}

Variable Packing::unpack(const Variable& packed) const {
  if (!ragged()) return batch_first_ ? transpose(packed, 0, 1) : packed;
  Shape shape = packed.shape();
  shape.set(0, batch_first_ ? steps_ : batch_);
  shape.insert(0, batch_first_ ? batch_ : steps_);
  return reshape(scatter_rows(packed, positions_, steps_ * batch_), shape);
}

Variable Packing::reversed(const Variable& packed) const {
  return ragged() ? take(packed, reversal_) : flip(packed, {0});
}

Indices Packing::reversed(const Indices& packed) const {
  return ragged() ? elements_at(packed, reversal_) : flipped(packed);
}

State Packing::taken(const State& state, const Indices& rows) const {
  if (!ragged()) return state;
  State result;
  for (int k = 0; k < state.size(); ++k)
    result.push_back(has_rows(state[k], batch_) ? take(state[k], rows) : state[k]);
  return result;
}

}  // namespace hindsight::nn::detail
