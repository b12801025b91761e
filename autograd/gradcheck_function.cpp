#include <hindsight/autograd/checkpoint.h>
#include <hindsight/autograd/finite.h>
#include <hindsight/autograd/fused.h>
#include <hindsight/autograd/gradcheck_function.h>
#include <hindsight/autograd/reduce.h>

namespace hindsight {

InDouble::InDouble(const std::vector<Parameter>& parameters) : parameters_(parameters) {
  for (Parameter& p : parameters_) {
    values_.push_back(p.value());
    p.data()->value =
        p.dtype() == DType::f64 ? p.value().contiguous_copy() : p.value().to(DType::f64);
    gradients_.push_back(std::exchange(p.data()->gradient, Gradient()));
    versions_.push_back(p.data()->version);
    p.changed();
  }
}

InDouble::~InDouble() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    parameters_[i].data()->value = values_[i];
    parameters_[i].data()->gradient = gradients_[i];
    parameters_[i].data()->version = versions_[i];  // it is as it was, for who looks at it
  }
}

Tensor random_like(const Shape& shape, Rng& rng) {
  const Tensor t(shape, DType::f64);
  for (Size i = 0; i < t.elements(); ++i) t.set(i, rng.normal());
  return t;
}

double dot(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (Size i = 0; i < a.elements(); ++i) total += a.at(i) * b.at(i);
  return total;
}

namespace {

std::vector<Tensor> values_of(const std::vector<Variable>& variables) {
  std::vector<Tensor> result;
  for (const Variable& v : variables) result.push_back(v.value().contiguous_copy());
  return result;
}

}  // namespace

/// The function on a tape of its own.
struct CheckedFunction::Recording {
  Tape tape;
  std::vector<Variable> leaves;
  Variable loss;
  const Operation* forward_end = nullptr;

  explicit Recording(const CheckedFunction& function) {
    for (std::size_t i = 0; i < function.inputs_; ++i)
      leaves.push_back(tape.watch(function.tensors_[i]));
    for (const Parameter& p : function.parameters_) leaves.emplace_back(p);
    loss = function.evaluate(leaves);
    if (!loss.recorded()) {
      fail<TapeError>("check_gradients: the value depends on none of the inputs and parameters");
    }
    forward_end = tape.youngest();
  }
  /// <gradient, directions>, recorded; a constant where the gradient is one.
  Variable slope(const std::vector<Tensor>& directions) {
    const std::vector<Variable> first = tape.gradient(loss, leaves, {.create_graph = true});
    Variable total;
    for (std::size_t i = 0; i < first.size(); ++i) {
      const Variable part = sum(first[i] * Variable(directions[i]));
      total = total ? Variable(total + part) : part;
    }
    return total;
  }
};

CheckedFunction::CheckedFunction(const Function& f, const std::vector<Tensor>& inputs,
                                 const std::vector<Parameter>& parameters)
    : f_(f), parameters_(parameters), inputs_(inputs.size()) {
  for (const Tensor& input : inputs) tensors_.push_back(input.to(DType::f64).contiguous_copy());
  for (const Parameter& p : parameters) tensors_.push_back(p.value());
}

std::string CheckedFunction::name(std::size_t tensor) const {
  return tensor < inputs_ ? fmt::format("input {}", tensor) : parameters_[tensor - inputs_].name();
}

void CheckedFunction::changed(std::size_t tensor) {
  if (tensor >= inputs_) parameters_[tensor - inputs_].changed();
}

Variable CheckedFunction::evaluate(const std::vector<Variable>& leaves) const {
  const Variable y = f_({leaves.begin(), leaves.begin() + static_cast<std::ptrdiff_t>(inputs_)});
  if (!y) fail<TapeError>("check_gradients: the function returned an empty Variable");
  if (y.dtype() != DType::f64) {
    fail<DTypeError>(
        "check_gradients: the function computed a float32 value from float64 inputs and "
        "parameters; convert the constants it uses");
  }
  if (y.rank() == 0) return y;
  if (!weights_ || weights_.shape() != y.shape()) {
    Rng rng(1);
    weights_ = random_like(y.shape(), rng);
  }
  return sum(y * Variable(weights_));
}

double CheckedFunction::value() const {
  const Tape::Pause pause;
  return evaluate({tensors_.begin(), tensors_.begin() + static_cast<std::ptrdiff_t>(inputs_)})
      .item();
}

std::vector<Tensor> CheckedFunction::gradients() const {
  Recording recording(*this);
  return values_of(recording.tape.gradient(recording.loss, recording.leaves));
}

double CheckedFunction::gradient_along(const std::vector<Tensor>& directions) const {
  const std::vector<Tensor> g = gradients();
  double total = 0;
  for (std::size_t i = 0; i < g.size(); ++i) total += dot(g[i], directions[i]);
  return total;
}

std::vector<Tensor> CheckedFunction::second_gradients(const std::vector<Tensor>& directions) const {
  Recording recording(*this);
  const Variable slope = recording.slope(directions);
  if (slope.recorded()) return values_of(recording.tape.gradient(slope, recording.leaves));
  std::vector<Tensor> zeros;
  for (const Tensor& t : tensors_) zeros.push_back(Tensor::zeros(t.shape(), DType::f64));
  return zeros;
}

std::optional<Culprit> CheckedFunction::culprit(int order, const std::vector<Tensor>& directions,
                                                const CheckOptions& options) const {
  const detail::WithoutCheckpoints everything_recorded;
  Recording recording(*this);
  if (order == 2) recording.slope(directions);
  return find_culprit(recording.tape, recording.leaves, recording.forward_end, options);
}

std::string CheckedFunction::first_not_finite() const {
  const FiniteChecks checks;
  try {
    gradients();
  } catch (const NonFiniteError& error) {
    return error.what();
  }
  return "";
}

}  // namespace hindsight
