#pragma once
#include <hindsight/autograd/tape/tape.h>

#include <functional>
#include <vector>

/// Derivatives in one call, of functions of Variables and of functions of a model's parameters.
///
/// A function is called once, on a tape of its own. Results are tensors, in the order and with the
/// shapes of the inputs or parameters they belong to; those that the function does not depend on
/// get zeros. No parameter's gradient is touched. A direction (cotangent) is a tensor for each
/// input (for the output), of its shape and type: ShapeError and DTypeError name the one that does
/// not fit, what it is and what is needed; OptionError names a wrong number of them, or a parameter
/// given twice.
namespace hindsight {

/// A value computed from inputs, of any shape.
using InputFunction = std::function<Variable(const std::vector<Variable>&)>;
/// A value computed from parameters that it knows.
using ParameterFunction = std::function<Variable()>;
/// A loss of a model's outputs, a scalar.
using OutputLoss = std::function<Variable(const Variable&)>;

struct JvpResult {
  Tensor value;    ///< f(x)
  Tensor tangent;  ///< J v, of the same shape
};

struct VjpResult {
  Tensor value;                   ///< f(x)
  std::vector<Tensor> gradients;  ///< J^T u, of each input
};

/// Jacobian-vector product J v, in forward mode: how f(x) changes as x moves along v.
JvpResult jvp(const InputFunction& f, const std::vector<Tensor>& inputs,
              const std::vector<Tensor>& directions);
JvpResult jvp(const ParameterFunction& f, const std::vector<Parameter>& parameters,
              const std::vector<Tensor>& directions);

/// Vector-Jacobian product J^T u, in reverse mode: the gradient of <u, f(x)>.
VjpResult vjp(const InputFunction& f, const std::vector<Tensor>& inputs, const Tensor& cotangent);
VjpResult vjp(const ParameterFunction& f, const std::vector<Parameter>& parameters,
              const Tensor& cotangent);

/// The matrix J of all first derivatives: (elements of f(x), elements of all inputs side by side),
/// row-major, in as many sweeps over one tape as its shorter side is long.
Tensor jacobian(const InputFunction& f, const std::vector<Tensor>& inputs);
Tensor jacobian(const ParameterFunction& f, const std::vector<Parameter>& parameters);

/// Hessian-vector product H v of a scalar loss: the gradient of its derivative along v (Pearlmutter
/// 1994, Fast exact multiplication by the Hessian), one walk forward and one back.
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
