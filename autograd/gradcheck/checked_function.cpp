#include <hindsight/autograd/derivatives/checkpoint.h>
#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/gradcheck/checked_function.h>
#include <hindsight/autograd/inspect/finite_checks.h>
#include <hindsight/autograd/ops/reduce.h>

#include <algorithm>
#include <cmath>

namespace hindsight::detail {

Float64Scope::Float64Scope(const std::vector<Parameter>& parameters) : parameters_(parameters) {
  // All that may throw comes first: the destructor does not run when the constructor throws.
  for (const Parameter& p : parameters_) {
    values_.push_back(p.dtype() == DType::f64 ? p.value().contiguous_copy()
                                              : p.value().to(DType::f64));
    versions_.push_back(p.data()->version);
  }
  gradients_.resize(parameters_.size());
  exchange();
  for (Parameter& p : parameters_) p.changed();
}

Float64Scope::~Float64Scope() {
  exchange();
  for (std::size_t i = 0; i < parameters_.size(); ++i)
    parameters_[i].data()->version = versions_[i];  // the value is unchanged, so is its version
}

void Float64Scope::exchange() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    std::swap(parameters_[i].data()->value, values_[i]);
    std::swap(parameters_[i].data()->gradient, gradients_[i]);
  }
}

Tensor random_normal(const Shape& shape, Rng& rng) {
  const Tensor t(shape, DType::f64);
  for (Size i = 0; i < t.elements(); ++i) t.set(i, rng.normal());
  return t;
}

double inner_product(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (Size i = 0; i < a.elements(); ++i) total += a.at(i) * b.at(i);
  return total;
}

double product_norm(const Tensor& a, const Tensor& b) {
  double total = 0;
  for (Size i = 0; i < a.elements(); ++i) total += std::pow(a.at(i) * b.at(i), 2);
  return std::sqrt(total);
}

Direction::Direction(const std::vector<Tensor>& tensors, Scale scale, Rng& rng) {
  for (const Tensor& x : tensors) {
    point.push_back(x.contiguous_copy());
    along.emplace_back(x.shape(), DType::f64);
    for (Size i = 0; i < x.elements(); ++i) {
      const double magnitude = std::abs(x.at(i));
      const bool unit = scale == Scale::step ? magnitude < 1 : magnitude == 0;
      const double length = rng.uniform(0.5, 1.5) * (unit ? 1 : magnitude);
      along.back().set(i, rng.uniform() < 0.5 ? -length : length);
    }
  }
}

namespace {

std::vector<Tensor> values_of(const std::vector<Variable>& variables) {
  std::vector<Tensor> result;
  for (const Variable& v : variables) result.push_back(v.value().contiguous_copy());
  return result;
}

}  // namespace

/// The function recorded on a tape of its own.
struct CheckedFunction::Recording {
  Tape tape;
  std::vector<Variable> leaves;
  Variable loss;
  const Operation* forward_end = nullptr;

  explicit Recording(const CheckedFunction& function) {
    for (std::size_t i = 0; i < function.inputs_; ++i)
      leaves.push_back(tape.watch(function.tensors_[i]));
    for (const Parameter& p : function.parameters_) leaves.emplace_back(p);
    loss = function.weighted(function.evaluate(leaves));
    if (!loss.recorded()) {
      fail<TapeError>("check_gradients: the value depends on none of the inputs and parameters");
    }
    forward_end = tape.newest();
  }
  /// <gradient, directions>, recorded unless the gradient is a constant.
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
  return y;
}

/// The scalar that is differentiated: y, or the sum of its elements with fixed random weights.
Variable CheckedFunction::weighted(const Variable& y) const {
  if (y.rank() == 0) return y;
  if (!weights_ || weights_.shape() != y.shape()) {
    Rng rng(1);
    weights_ = random_normal(y.shape(), rng);
  }
  return sum(y * Variable(weights_));
}

void CheckedFunction::move(const Direction& direction, const ElementRange& range, double t) {
  for (std::size_t i = range.first; i < range.last; ++i) {
    const Size end = std::min(range.end, direction.along[i].elements());
    for (Size k = range.begin; k < end; ++k)
      data(i)[k] = direction.point[i].at(k) + t * direction.along[i].at(k);
    changed(i);
  }
}

Variable CheckedFunction::output() const {
  const Tape::Pause pause;
  return evaluate({tensors_.begin(), tensors_.begin() + static_cast<std::ptrdiff_t>(inputs_)});
}

double CheckedFunction::value() const { return weighted(output()).item(); }

SizedValue CheckedFunction::sized_value() const {
  const Variable y = output();
  const double value = weighted(y).item();
  const double terms = y.rank() == 0 ? 0 : product_norm(y.value(), weights_);
  return {value, std::max(std::abs(value), terms)};
}

std::vector<Tensor> CheckedFunction::gradients() const {
  Recording recording(*this);
  return values_of(recording.tape.gradient(recording.loss, recording.leaves));
}

SizedValue CheckedFunction::sized_gradient_along(const std::vector<Tensor>& directions) const {
  const std::vector<Tensor> g = gradients();
  double total = 0, squares = 0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    total += inner_product(g[i], directions[i]);
    squares += std::pow(product_norm(g[i], directions[i]), 2);
  }
  return {total, std::max(std::abs(total), std::sqrt(squares))};
}

std::vector<Tensor> CheckedFunction::second_gradients(const std::vector<Tensor>& directions) const {
  Recording recording(*this);
  const Variable slope = recording.slope(directions);
  if (slope.recorded()) return values_of(recording.tape.gradient(slope, recording.leaves));
  std::vector<Tensor> zeros;
  for (const Tensor& t : tensors_) zeros.push_back(Tensor::zeros(t.shape(), DType::f64));
  return zeros;
}

double CheckedFunction::size_of_parts(int order, const std::vector<Tensor>& directions) const {
  const detail::WithoutCheckpoints everything_recorded;
  Recording recording(*this);
  const Variable result = order == 2 ? recording.slope(directions) : recording.loss;
  if (!result.recorded()) return 0;
  recording.tape.restore_all();
  std::vector<Variable> parts;
  for (const Operation* op = recording.tape.oldest(); op; op = op->next())
    parts.push_back(op->output().variable());
  const std::vector<Variable> weights = recording.tape.gradient(result, parts);
  double squares = 0;
  for (std::size_t i = 0; i < parts.size(); ++i)
    squares += std::pow(product_norm(parts[i].value(), weights[i].value()), 2);
  return std::sqrt(squares);
}

CulpritSearch CheckedFunction::culprit(int order, const std::vector<Tensor>& directions,
                                       const CheckOptions& options) const {
  const detail::WithoutCheckpoints everything_recorded;
  Recording recording(*this);
  if (order == 2) recording.slope(directions);
  recording.tape.restore_all();
  const Tape::Busy busy(recording.tape);  // operations are swept alone, hooks included
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

}  // namespace hindsight::detail
