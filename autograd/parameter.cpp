#include <hindsight/autograd/parameter.h>

namespace hindsight {

Parameter::Parameter(std::string name, const Tensor& value) : data_(std::make_shared<Data>()) {
  data_->name = std::move(name);
  data_->value = value.contiguous_copy();
}

void Parameter::assign(const Tensor& value) {
  if (value.shape() != shape()) {
    fail<ShapeError>("parameter {}: a value of shape {} cannot replace one of shape {}", name(),
                     value.shape(), shape());
  }
  copy(value, data_->value);
  changed();
}

void Parameter::to(DType dtype) {
  if (dtype == data_->value.dtype()) return;
  data_->value = data_->value.to(dtype);
  data_->gradient.release();
  changed();
}

Tensor Parameter::gradient() const {
  if (!has_gradient()) return Tensor::zeros(shape(), dtype());  // looking must not make one
  return data_->gradient.read(shape(), dtype());
}

}  // namespace hindsight
