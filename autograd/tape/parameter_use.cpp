#include <hindsight/autograd/tape/local_gradients.h>
#include <hindsight/autograd/tape/parameter_use.h>
#include <hindsight/autograd/tensor/blas.h>
#include <hindsight/autograd/tensor/matrix_product.h>

#include <algorithm>

namespace hindsight {
namespace {

// Bytes of rows collected before their product is computed: enough that reading and writing the
// weight gradient costs little beside it, few enough that they are still in the second-level cache.
constexpr Size kBatchBytes = 512 << 10;

// From this number of rows on, computing their product is faster than moving them to where the next
// ones fit.
constexpr Size kEnoughRows = 64;

// In rows.
Size batch_capacity(Size inputs, Size outputs, DType dtype) {
  const Size row_bytes = std::max<Size>(1, outputs) * bytes_of(dtype);
  return std::max(kEnoughRows, std::max(kBatchBytes, 2 * inputs * row_bytes) / row_bytes);
}

}  // namespace

namespace detail {

void RowBatch::start(Size columns, DType dtype, Size capacity) {
  columns_ = columns;
  dtype_ = dtype;
  capacity_ = capacity;
  block_.reset();
  clear();
}

void RowBatch::clear() {
  rows_ = 0;
  rows_buffer_.reset();
}

void RowBatch::reserve(const Shape& rows, Gradient* place) {
  const Size count = rows.elements() / rows.back(), row_bytes = rows.back() * bytes_of(dtype_);
  if (!block_ || block_free_ < count) {
    const Size rows_of_block = std::max(capacity_, count);
    block_ = Buffer(rows_of_block * row_bytes);
    block_free_ = rows_of_block;  // only after the allocation, which may throw
  }
  block_free_ -= count;
  place->place(block_, block_free_ * row_bytes);
}

Size RowBatch::stride_to(const Tensor& matrix) const {
  if (rows_ == 0 || !(matrix.buffer() == rows_buffer_)) return 0;
  const Size rows = matrix.size(0), distance = begin_ - matrix.layout().offset;
  const Size stride = rows > 1 ? matrix.layout().stride(0) : distance;
  const bool dense = columns_ == 1 || matrix.layout().stride(1) == 1;
  const bool even = stride * rows == distance && (stride_ == 0 || stride_ == stride);
  return dense && even && stride >= columns_ && stride < 2 * columns_ ? stride : 0;
}

bool RowBatch::has_room(Size rows) const {
  return rows_ > 0 && !(rows_buffer_ == block_) && rows_buffer_.unique() && stride_ == columns_ &&
         begin_ >= rows * columns_;
}

void RowBatch::prepend(const Tensor& matrix) {
  const Size rows = matrix.size(0), begin = matrix.layout().offset;
  const bool dense_rows = columns_ == 1 || matrix.layout().stride(1) == 1;
  if (rows_ == 0 && dense_rows && (rows == 1 || matrix.layout().stride(0) >= columns_)) {
    rows_buffer_ = matrix.buffer();
    begin_ = begin;
    stride_ = rows > 1 ? matrix.layout().stride(0) : 0;
  } else if (const Size stride = stride_to(matrix)) {
    begin_ = begin;
    stride_ = stride;
  } else {
    if (!has_room(rows)) {  // move the rows to the end of a new block
      const Tensor before = rows_ ? this->matrix() : Tensor();
      const Size total = std::max(capacity_, rows_ + rows);
      rows_buffer_ = Buffer(total * columns_ * bytes_of(dtype_));
      stride_ = columns_;
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

Tensor RowBatch::matrix() const {
  Layout layout(Shape{rows_, columns_});
  if (rows_ > 1) layout.set_stride(0, stride_);
  layout.offset = begin_;
  return {rows_buffer_, layout, dtype_};
}

}  // namespace detail

void add_weight_gradient(Node* node, const Layout& weight, const Tensor& input,
                         const Tensor& gradient) {
  const std::array<int, kMaxRank> flip{1, 0};
  // The gradient of a transposed view is written in the order of the memory it is a view of.
  const bool transposed = weight.stride(0) == 1 && weight.stride(1) != 1;
  const Tensor left = input.view(input.layout().permute(flip));
  Gradient& whole = node->made_gradient();
  if (!fits_blas(weight)) {
    Tensor product(weight.shape, gradient.dtype());
    multiply_into(left, gradient, false, product.buffer().data<std::byte>(), product.layout());
    const Gradient::Target to = whole.target(weight, node->shape(), node->dtype);
    return copy(product, whole.memory(weight, node->dtype), to.accumulate);
  }
  const Gradient::Target to =
      whole.target(transposed ? weight.permute(flip) : weight, node->shape(), node->dtype);
  multiply_into(left, gradient, to.accumulate, to.base, weight);
}

void ParameterUse::attach_gradient() {
  leaf->release_gradient();
  LocalGradients* local = LocalGradients::current();
  leaf->gradient = local ? &local->use(parameter) : &parameter.data()->gradient;
  leaf->parameter_gradient = true;
}

void ParameterUse::detach_gradient() {
  if (!leaf->parameter_gradient) return;
  leaf->gradient = nullptr;
  leaf->parameter_gradient = false;
}

const Tensor& ParameterUse::transposed() {
  const std::uint64_t now = parameter.data()->version;
  if (!transposed_ || transposed_version_ != now) {
    const Tensor value = Variable(leaf, leaf->layout).value();
    const Size rows = value.size(0), columns = value.size(1);
    transposed_ = Variable::make_padded({columns, rows}, value.dtype()).value();
    dispatch(value.dtype(), [&](auto zero) {
      using T = decltype(zero);
      blas::transpose(value.data<T>(), rows, columns, transposed_.data<T>(),
                      columns > 1 ? transposed_.layout().stride(0) : rows);
    });
    transposed_version_ = now;
  }
  return transposed_;
}

ParameterUse* use_of_transposed(const Node* node, const Layout& layout) {
  const Shape& shape = node->shape();
  if (!node->use || node->use->leaf != node || shape.rank() != 2 || layout.rank() != 2)
    return nullptr;
  const bool transposed = layout.shape[0] == shape[1] && layout.shape[1] == shape[0] &&
                          layout.stride(0) == 1 && layout.stride(1) == shape[1] &&
                          layout.offset == 0 && shape[0] > 1 && shape[1] > 1;
  return transposed ? node->use : nullptr;
}

void ParameterUse::place_gradient(Gradient* gradient, const Shape& shape) {
  const Size columns = gradients_.columns();
  if (columns > 0 && shape.back() == padded_columns(columns, leaf->dtype))
    gradients_.reserve(shape, gradient);
}

void ParameterUse::prepare(const Layout& weight, DType dtype) {
  if (weight == weight_ && gradients_.columns() != 0) return;
  flush();
  weight_ = weight;
  const Size capacity = batch_capacity(weight.shape[0], weight.shape[1], dtype);
  inputs_.start(weight.shape[0], dtype, capacity);
  gradients_.start(weight.shape[1], dtype, capacity);
}

void ParameterUse::defer(const Layout& weight, const Tensor& input, const Tensor& gradient) {
  prepare(weight, gradient.dtype());
  const bool moves = !inputs_.extends(input) || !gradients_.extends(gradient);
  if (!gradients_.fits(gradient.size(0)) || (moves && gradients_.rows() >= kEnoughRows)) flush();
  inputs_.prepend(input);
  gradients_.prepend(gradient);
}

bool ParameterUse::flush() {
  if (gradients_.rows() == 0) return false;
  add_weight_gradient(leaf, weight_, inputs_.matrix(), gradients_.matrix());
  discard();
  return true;
}

void ParameterUse::discard() {
  inputs_.clear();
  gradients_.clear();
}

}  // namespace hindsight
