#include <hindsight/autograd/tape/parameter.h>

namespace hindsight {

Parameter::Parameter(std::string name, const Tensor& value) : data_(std::make_shared<Data>()) {
  if (!value) fail("parameter {}: its value is an empty Tensor", name);
  data_->name = std::move(name);
  data_->value = value.contiguous_copy();
}

void Parameter::throw_empty(const char* use) { fail("{}: the Parameter is empty", use); }

void Parameter::assign(const Tensor& value) {
  check_given("assign");
  if (!value) fail("parameter {}: an empty Tensor cannot be its value", name());
  if (value.shape() != shape()) {
    fail<ShapeError>("parameter {}: a value of shape {} cannot replace one of shape {}", name(),
                     value.shape(), shape());
  }
  copy(value, data_->value);
  changed();
}

void Parameter::to(DType dtype) {
  check_given("to");
  if (dtype == data_->value.dtype()) return;
  data_->value = data_->value.to(dtype);
  data_->gradient.release();
  data_->part_gradients.clear();
  changed();
}

Tensor Parameter::gradient() const {
  check_given("gradient");
  if (!has_gradient()) return Tensor::zeros(shape(), dtype());  // reading must not create one
  return data_->gradient.read(shape(), dtype());
}

}  // namespace hindsight
