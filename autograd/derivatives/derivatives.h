#pragma once
#include <hindsight/autograd/tape/tape.h>

#include <functional>
#include <vector>

/// Derivatives in one call, of functions of Variables and of functions of a model's parameters.
///
/// A function is called once, on a tape of its own. Gradients are tensors, in the order and with
/// the shapes of the inputs or parameters that they belong to; zeros if the function does not
/// depend on one. No parameter's gradient is changed. Directions are one tensor for each input or
/// parameter, a cotangent is one for the output, of the same shape and dtype: ShapeError and
/// DTypeError name the one that does not fit, what it is and what is needed; OptionError reports a
/// wrong number of them, or a parameter given twice.
namespace hindsight {

/// A value of any shape, computed from inputs.
using InputFunction = std::function<Variable(const std::vector<Variable>&)>;
/// A value of any shape, computed from parameters that the function captured.
using ParameterFunction = std::function<Variable()>;
/// A scalar loss, computed from a model's outputs.
using OutputLoss = std::function<Variable(const Variable&)>;

struct JvpResult {
  Tensor value;    ///< f(x)
  Tensor tangent;  ///< J v, of the same shape
};

struct VjpResult {
  Tensor value;                   ///< f(x)
  std::vector<Tensor> gradients;  ///< J^T u: one for each input or parameter, of its shape
};

/// Jacobian-vector product J v, in forward mode: the derivative of f(x) along the directions v.
JvpResult jvp(const InputFunction& f, const std::vector<Tensor>& inputs,
              const std::vector<Tensor>& directions);
JvpResult jvp(const ParameterFunction& f, const std::vector<Parameter>& parameters,
              const std::vector<Tensor>& directions);

/// Vector-Jacobian product J^T u, in reverse mode: the gradient of <u, f(x)>.
VjpResult vjp(const InputFunction& f, const std::vector<Tensor>& inputs, const Tensor& cotangent);
VjpResult vjp(const ParameterFunction& f, const std::vector<Parameter>& parameters,
              const Tensor& cotangent);

/// The matrix J of all first derivatives: (elements of f(x), elements of all inputs), both in
/// row-major order, the inputs side by side. It takes min(rows, columns) sweeps over one tape.
Tensor jacobian(const InputFunction& f, const std::vector<Tensor>& inputs);
Tensor jacobian(const ParameterFunction& f, const std::vector<Parameter>& parameters);

/// Hessian-vector product H v of a scalar loss: the gradient of its derivative along v (Pearlmutter
/// 1994, Fast exact multiplication by the Hessian), with one forward and one reverse sweep.
/// ShapeError unless the loss is a scalar.
std::vector<Tensor> hessian_vector_product(const InputFunction& loss,
                                           const std::vector<Tensor>& inputs,
                                           const std::vector<Tensor>& directions);
std::vector<Tensor> hessian_vector_product(const ParameterFunction& loss,
                                           const std::vector<Parameter>& parameters,
                                           const std::vector<Tensor>& directions);

/// Gauss-Newton product J^T H_L J v, where J is the Jacobian of `outputs` and H_L the Hessian of
/// `loss` at their value (Schraudolph 2002, Fast curvature matrix-vector products). Positive
/// semidefinite where the loss is convex; the Hessian itself where the outputs are linear.
/// ShapeError unless the loss is a scalar.
std::vector<Tensor> gauss_newton_vector_product(const InputFunction& outputs,
                                                const OutputLoss& loss,
                                                const std::vector<Tensor>& inputs,
                                                const std::vector<Tensor>& directions);
std::vector<Tensor> gauss_newton_vector_product(const ParameterFunction& outputs,
                                                const OutputLoss& loss,
                                                const std::vector<Parameter>& parameters,
                                                const std::vector<Tensor>& directions);

}  // namespace hindsight
