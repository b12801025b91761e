#include <hindsight/autograd/derivatives/derivatives.h>

#include <algorithm>

namespace hindsight {
namespace {

/// A function, and the inputs or parameters that it is differentiated with respect to. A tape
/// watches the inputs.
class DifferentiatedFunction {
 public:
  DifferentiatedFunction(const char* op, const InputFunction& f, const std::vector<Tensor>& inputs)
      : op_(op), f_([&f, this] { return f(variables_); }), values_(inputs) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i]) fail("{}: input {} is an empty Tensor", op, i);
    }
  }
  DifferentiatedFunction(const char* op, const ParameterFunction& f,
                         const std::vector<Parameter>& parameters)
      : op_(op), f_(f), parameters_(parameters) {
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (!parameters[i]) fail("{}: parameter {} is empty", op, i);
      values_.push_back(parameters[i].value());
      for (std::size_t j = 0; j < i; ++j) {
        if (parameters[j].data() == parameters[i].data())
          fail<OptionError>("{}: parameter {} is given twice", op, parameters[i].name());
      }
    }
  }
  DifferentiatedFunction(const DifferentiatedFunction&) = delete;
  DifferentiatedFunction& operator=(const DifferentiatedFunction&) = delete;

  void check_directions(const std::vector<Tensor>& directions) const {
    if (directions.size() != values_.size()) {
      fail<OptionError>("{}: {} directions for {} {}", op_, directions.size(), values_.size(),
                        parameters_.empty() ? "inputs" : "parameters");
    }
    for (std::size_t i = 0; i < directions.size(); ++i)
      check_like(op_, "direction", name(i), directions[i], values_[i].shape(), values_[i].dtype());
  }
  static void check_like(const char* op, const char* what, const std::string& of,
                         const Tensor& given, const Shape& shape, DType dtype) {
    if (!given) fail("{}: the {} of {} is an empty Tensor", op, what, of);
    if (given.shape() != shape)
      fail<ShapeError>("{}: the {} of {} is {}; {} is needed", op, what, of, given.shape(), shape);
    if (given.dtype() != dtype) {
      fail<DTypeError>("{}: the {} of {} is {}; {} is needed", op, what, of,
                       hindsight::name(given.dtype()), hindsight::name(dtype));
    }
  }

  /// The function's value, recorded on `tape`.
  Variable record(Tape& tape) {
    for (const Parameter& parameter : parameters_) variables_.emplace_back(parameter);
    if (parameters_.empty()) {
      for (const Tensor& value : values_) variables_.push_back(tape.watch(value));
    }
    const Variable result = f_();
    if (!result) fail<TapeError>("{}: the function returned an empty Variable", op_);
    return result;
  }
  void check_scalar(const Variable& loss) const {
    if (loss.shape().elements() != 1) {
      fail<ShapeError>("{}: the loss has shape {}; a scalar is needed (sum or mean it)", op_,
                       loss.shape());
    }
  }

  const std::vector<Variable>& variables() const { return variables_; }
  const std::vector<Tensor>& values() const { return values_; }
  std::vector<Tensor> zeros() const {
    std::vector<Tensor> result;
    for (const Tensor& value : values_)
      result.push_back(Tensor::zeros(value.shape(), value.dtype()));
    return result;
  }
  /// Gradients of the output weighted with `cotangent`.
  std::vector<Tensor> pull(Tape& tape, const Variable& output, const Tensor& cotangent) const {
    if (!output.recorded()) return zeros();
    std::vector<Tensor> result;
    for (const Variable& g : tape.gradient(output, variables_, {.cotangents = {cotangent}}))
      result.push_back(g.value().contiguous_copy());
    return result;
  }

  std::string name(std::size_t i) const {
    return parameters_.empty() ? fmt::format("input {}", i) : "parameter " + parameters_[i].name();
  }

 private:
  const char* op_;
  ParameterFunction f_;
  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_;
  std::vector<Variable> variables_;
};

/// Directions as Variables. They are made parameters because a tape caches transposed copies of
/// these, and a recurrent product with a direction is computed at every time step.
std::vector<Variable> as_parameters(const DifferentiatedFunction& subject,
                                    const std::vector<Tensor>& directions) {
  std::vector<Variable> result;
  for (std::size_t i = 0; i < directions.size(); ++i)
    result.emplace_back(Parameter("the direction of " + subject.name(i), directions[i]));
  return result;
}

JvpResult push(DifferentiatedFunction& subject, const std::vector<Tensor>& directions) {
  subject.check_directions(directions);
  Tape tape;
  const Variable value = subject.record(tape);
  const Variable tangent =
      tape.tangent({value}, subject.variables(), as_parameters(subject, directions))[0];
  return {value.value().contiguous_copy(), tangent.value().contiguous_copy()};
}

VjpResult pull(const char* op, DifferentiatedFunction& subject, const Tensor& cotangent) {
  Tape tape;
  const Variable value = subject.record(tape);
  DifferentiatedFunction::check_like(op, "cotangent", "the output", cotangent, value.shape(),
                                     value.dtype());
  return {value.value().contiguous_copy(), subject.pull(tape, value, cotangent)};
}

Tensor one_at(const Shape& shape, DType dtype, Size i) {
  const Tensor t = Tensor::zeros(shape, dtype);
  t.set(i, 1);
  return t;
}

/// Fills column by column, with a direction for each element of the inputs.
void fill_columns(Tape& tape, const DifferentiatedFunction& subject, const Variable& value,
                  const Tensor& to) {
  Size column = 0;
  for (std::size_t k = 0; k < subject.values().size(); ++k) {
    const Tensor& input = subject.values()[k];
    for (Size i = 0; i < input.elements(); ++i, ++column) {
      std::vector<Variable> directions(subject.values().size());
      directions[k] = one_at(input.shape(), input.dtype(), i);
      const Tensor moved = tape.tangent({value}, subject.variables(), directions)[0].value();
      for (Size row = 0; row < to.size(0); ++row) to.set(row * to.size(1) + column, moved.at(row));
    }
  }
}

/// Fills row by row, with a cotangent for each element of the value.
void fill_rows(Tape& tape, const DifferentiatedFunction& subject, const Variable& value,
               const Tensor& to) {
  for (Size row = 0, at = 0; row < to.size(0); ++row) {
    for (const Tensor& g : subject.pull(tape, value, one_at(value.shape(), value.dtype(), row))) {
      for (Size i = 0; i < g.elements(); ++i) to.set(at++, g.at(i));
    }
  }
}

Tensor jacobian_of(DifferentiatedFunction& subject) {
  Tape tape;
  const Variable value = subject.record(tape);
  Size columns = 0;
  for (const Tensor& input : subject.values()) columns += input.elements();
  const Tensor result = Tensor::zeros({value.shape().elements(), columns}, value.dtype());
  if (!value.recorded()) return result;
  (columns < result.size(0) ? fill_columns : fill_rows)(tape, subject, value, result);
  return result;
}

std::vector<Tensor> hessian_product(DifferentiatedFunction& subject,
                                    const std::vector<Tensor>& directions) {
  subject.check_directions(directions);
  Tape tape;
  const Variable loss = subject.record(tape);
  subject.check_scalar(loss);
  const Variable slope = tape.tangent(
      {loss}, subject.variables(), as_parameters(subject, directions), {.create_graph = true})[0];
  return subject.pull(tape, slope, Tensor::full(slope.shape(), 1, slope.dtype()));
}

std::vector<Tensor> gauss_newton_product(const char* op, DifferentiatedFunction& subject,
                                         const OutputLoss& loss,
                                         const std::vector<Tensor>& directions) {
  subject.check_directions(directions);
  Tape tape;
  const Variable outputs = subject.record(tape);
  const Variable moved =
      tape.tangent({outputs}, subject.variables(), as_parameters(subject, directions))[0];
  const InputFunction of_outputs = [&](const std::vector<Variable>& x) { return loss(x[0]); };
  DifferentiatedFunction curved(op, of_outputs, {outputs.value().contiguous_copy()});
  return subject.pull(tape, outputs, hessian_product(curved, {moved.value()})[0]);
}

}  // namespace

JvpResult jvp(const InputFunction& f, const std::vector<Tensor>& inputs,
              const std::vector<Tensor>& directions) {
  DifferentiatedFunction subject("jvp", f, inputs);
  return push(subject, directions);
}

JvpResult jvp(const ParameterFunction& f, const std::vector<Parameter>& parameters,
              const std::vector<Tensor>& directions) {
  DifferentiatedFunction subject("jvp", f, parameters);
  return push(subject, directions);
}

VjpResult vjp(const InputFunction& f, const std::vector<Tensor>& inputs, const Tensor& cotangent) {
  DifferentiatedFunction subject("vjp", f, inputs);
  return pull("vjp", subject, cotangent);
}

VjpResult vjp(const ParameterFunction& f, const std::vector<Parameter>& parameters,
              const Tensor& cotangent) {
  DifferentiatedFunction subject("vjp", f, parameters);
  return pull("vjp", subject, cotangent);
}

Tensor jacobian(const InputFunction& f, const std::vector<Tensor>& inputs) {
  DifferentiatedFunction subject("jacobian", f, inputs);
  return jacobian_of(subject);
}

Tensor jacobian(const ParameterFunction& f, const std::vector<Parameter>& parameters) {
  DifferentiatedFunction subject("jacobian", f, parameters);
  return jacobian_of(subject);
}

std::vector<Tensor> hessian_vector_product(const InputFunction& loss,
                                           const std::vector<Tensor>& inputs,
                                           const std::vector<Tensor>& directions) {
  DifferentiatedFunction subject("hessian_vector_product", loss, inputs);
  return hessian_product(subject, directions);
}

std::vector<Tensor> hessian_vector_product(const ParameterFunction& loss,
                                           const std::vector<Parameter>& parameters,
                                           const std::vector<Tensor>& directions) {
  DifferentiatedFunction subject("hessian_vector_product", loss, parameters);
  return hessian_product(subject, directions);
}

std::vector<Tensor> gauss_newton_vector_product(const InputFunction& outputs,
                                                const OutputLoss& loss,
                                                const std::vector<Tensor>& inputs,
                                                const std::vector<Tensor>& directions) {
  DifferentiatedFunction subject("gauss_newton_vector_product", outputs, inputs);
  return gauss_newton_product("gauss_newton_vector_product", subject, loss, directions);
}

std::vector<Tensor> gauss_newton_vector_product(const ParameterFunction& outputs,
                                                const OutputLoss& loss,
                                                const std::vector<Parameter>& parameters,
                                                const std::vector<Tensor>& directions) {
  DifferentiatedFunction subject("gauss_newton_vector_product", outputs, parameters);
  return gauss_newton_product("gauss_newton_vector_product", subject, loss, directions);
}

}  // namespace hindsight
