#include <hindsight/autograd/ops/apply.h>

namespace hindsight {

void check_same_dtype(const char* op, const Variable& a, const Variable& b) {
  if (a.dtype() != b.dtype()) {
    fail<DTypeError>("{}: {} and {} operands are mixed; convert one", op, name(a.dtype()),
                     name(b.dtype()));
  }
}

void check_gradient(const Operation& operation, int i, const Variable& gradient) {
  const auto [inputs, count] = operation.inputs();
  if (i < 0 || i >= count) {
    fail<IndexError>("{}: its backward function gave a gradient for input {} of {}",
                     operation.name(), i, count);
  }
  if (!gradient) {
    fail<ShapeError>("{}: its backward function gave an empty Variable for input {} of shape {}",
                     operation.name(), i, inputs[i].shape());
  }
  if (!broadcasts_to(inputs[i].shape(), gradient.shape())) {
    fail<ShapeError>(
        "{}: its backward function gave a gradient of shape {} for input {} of shape {}",
        operation.name(), gradient.shape(), i, inputs[i].shape());
  }
  if (gradient.dtype() != inputs[i].node()->dtype) {
    fail<DTypeError>("{}: its backward function gave a {} gradient for input {}, which is {}",
                     operation.name(), name(gradient.dtype()), i, name(inputs[i].node()->dtype));
  }
}

void check_tangent(const Operation& operation, const Variable& tangent) {
  const Operand& output = operation.output();
  if (tangent.shape() != output.shape()) {
    fail<ShapeError>("{}: its JVP function gave a tangent of shape {} for an output of shape {}",
                     operation.name(), tangent.shape(), output.shape());
  }
  if (tangent.dtype() != output.node()->dtype) {
    fail<DTypeError>("{}: its JVP function gave a {} tangent for an output that is {}",
                     operation.name(), name(tangent.dtype()), name(output.node()->dtype));
  }
}

void throw_not_differentiable(const Operation& operation) {
  fail<TapeError>(
      "{}: cannot be differentiated again: the gradient it adds to an input is not computed from "
      "its output's gradient with operations on Variables",
      operation.name());
}

}  // namespace hindsight
