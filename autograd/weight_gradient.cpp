#include <hindsight/autograd/blas.h>
#include <hindsight/autograd/weight_gradient.h>

#include <algorithm>

namespace hindsight {
namespace {

// Rows gathered before their product is computed: enough that reading and writing the weight
// gradient is small beside it, few enough that they are still in the second-level cache.
constexpr Size kStripBytes = 512 << 10;

Size strip_capacity(Size inputs, Size outputs, DType dtype) {
  const Size weight_bytes = inputs * outputs * bytes_of(dtype);
  return std::max<Size>(64, std::max(kStripBytes, 2 * weight_bytes) / (outputs * bytes_of(dtype)));
}

}  // namespace

void Strip::start(Size columns, DType dtype, Size capacity) {
  columns_ = columns;
  dtype_ = dtype;
  capacity_ = capacity;
  block_.reset();
  clear();
}

void Strip::clear() {
  rows_ = 0;
  rows_buffer_.reset();
}

void Strip::reserve(Size rows, Gradient* place) {
  if (!block_ || block_free_ < rows) {
    block_free_ = std::max(capacity_, rows);
    block_ = Buffer(block_free_ * columns_ * bytes_of(dtype_));
  }
  block_free_ -= rows;
  place->place(block_, block_free_ * columns_ * bytes_of(dtype_));
}

void Strip::prepend(const Tensor& matrix) {
  const Size rows = matrix.size(0), begin = matrix.layout().offset;
  const bool dense = matrix.contiguous();
  if (rows_ == 0 && dense) {
    rows_buffer_ = matrix.buffer();
    begin_ = begin;
  } else if (rows_ > 0 && dense && matrix.buffer() == rows_buffer_ &&
             begin + rows * columns_ == begin_) {
    begin_ = begin;
  } else {
    const bool own = rows_ > 0 && !(rows_buffer_ == block_) && rows_buffer_.unique() &&
                     begin_ >= rows * columns_;
    if (!own) {  // move what is there to the end of a block of our own
      const Tensor before = rows_ ? this->matrix() : Tensor();
      const Size total = std::max(capacity_, rows_ + rows);
      rows_buffer_ = Buffer(total * columns_ * bytes_of(dtype_));
      begin_ = (total - rows_) * columns_;
      if (rows_) copy(before, this->matrix());
    }
    begin_ -= rows * columns_;
    Layout place(Shape{rows, columns_});
    place.offset = begin_;
    copy(matrix, Tensor(rows_buffer_, place, dtype_));
  }
  rows_ += rows;
}

Tensor Strip::matrix() const {
  Layout layout(Shape{rows_, columns_});
  layout.offset = begin_;
  return {rows_buffer_, layout, dtype_};
}

const Tensor& ParameterUse::transposed() {
  const Parameter::Data& data = *parameter.data();
  if (!transposed_ || transposed_version_ != data.version) {
    const Size rows = data.value.size(0), columns = data.value.size(1);
    transposed_ = Tensor(Shape{columns, rows}, data.value.dtype());
    dispatch(data.value.dtype(), [&](auto zero) {
      using T = decltype(zero);
      blas::transpose(data.value.data<T>(), rows, columns, transposed_.data<T>());
    });
    transposed_version_ = data.version;
  }
  return transposed_;
}

ParameterUse* use_of_transposed(const Node* node, const Layout& layout) {
  if (!node->use || node->use->leaf != node || node->shape.rank() != 2 || layout.rank() != 2)
    return nullptr;
  const bool transposed = layout.shape[0] == node->shape[1] && layout.shape[1] == node->shape[0] &&
                          layout.stride(0) == 1 && layout.stride(1) == node->shape[1] &&
                          layout.offset == 0 && node->shape[0] > 1 && node->shape[1] > 1;
  return transposed ? node->use : nullptr;
}

void ParameterUse::place_gradient(Gradient* gradient, const Shape& shape) {
  const Size columns = shape.back();
  if (columns == 0 || columns != gradients_.columns()) return;
  gradients_.reserve(shape.elements() / columns, gradient);
}

void ParameterUse::prepare(const Layout& weight, DType dtype) {
  if (weight == weight_ && gradients_.columns() != 0) return;
  flush();
  weight_ = weight;
  const Size capacity = strip_capacity(weight.shape[0], weight.shape[1], dtype);
  inputs_.start(weight.shape[0], dtype, capacity);
  gradients_.start(weight.shape[1], dtype, capacity);
}

void ParameterUse::defer(const Layout& weight, const Tensor& input, const Tensor& gradient) {
  prepare(weight, gradient.dtype());
  if (!gradients_.fits(gradient.size(0))) flush();
  inputs_.prepend(input);
  gradients_.prepend(gradient);
}

void ParameterUse::flush() {
  if (gradients_.rows() == 0) return;
  add_weight_gradient(leaf, weight_, inputs_.matrix(), gradients_.matrix());
  inputs_.clear();
  gradients_.clear();
}

}  // namespace hindsight
