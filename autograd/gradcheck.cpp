#include <hindsight/autograd/fused.h>
#include <hindsight/autograd/gradcheck.h>
#include <hindsight/autograd/random.h>
#include <hindsight/autograd/reduce.h>

#include <algorithm>
#include <cmath>

namespace hindsight {
namespace {

using Function = std::function<Variable(const std::vector<Variable>&)>;

/// Parameters in float64 while alive, as they were afterwards.
class InDouble {
 public:
  explicit InDouble(const std::vector<Parameter>& parameters) : parameters_(parameters) {
    for (Parameter& p : parameters_) {
      values_.push_back(p.value());
      p.data()->value =
          p.dtype() == DType::f64 ? p.value().contiguous_copy() : p.value().to(DType::f64);
      gradients_.push_back(std::exchange(p.data()->gradient, Gradient()));
      p.changed();
    }
  }
  ~InDouble() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      parameters_[i].data()->value = values_[i];
      parameters_[i].data()->gradient = gradients_[i];
      parameters_[i].changed();
    }
  }
  InDouble(const InDouble&) = delete;
  InDouble& operator=(const InDouble&) = delete;

 private:
  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_;
  std::vector<Gradient> gradients_;
};

Tensor random_like(const Shape& shape, Rng& rng) {
  const Tensor t(shape, DType::f64);
  for (Size i = 0; i < t.elements(); ++i) t.set(i, rng.normal());
  return t;
}

/// The scalar under test and its gradients with respect to every tensor.
class Checked {
 public:
  Checked(const Function& f, const std::vector<Tensor>& inputs,
          const std::vector<Parameter>& parameters)
      : f_(f), parameters_(parameters) {
    for (const Tensor& input : inputs) tensors_.push_back(input.to(DType::f64).contiguous_copy());
    inputs_ = tensors_.size();
    for (const Parameter& p : parameters) tensors_.push_back(p.value());
  }

  const std::vector<Tensor>& tensors() const { return tensors_; }
  std::string name(std::size_t i) const {
    return i < inputs_ ? fmt::format("input {}", i) : parameters_[i - inputs_].name();
  }
  void changed(std::size_t i) {
    if (i >= inputs_) parameters_[i - inputs_].changed();
  }

  double value() {
    const Tape::Pause pause;
    std::vector<Variable> in(tensors_.begin(),
                             tensors_.begin() + static_cast<std::ptrdiff_t>(inputs_));
    return scalar(f_(in)).item();
  }

  std::vector<Tensor> gradients() {
    Tape tape;
    const std::vector<Variable> wanted = watched(tape);
    const Variable loss =
        scalar(f_({wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(inputs_)}));
    if (!loss.recorded()) {
      fail<TapeError>("check_gradients: the value depends on none of the inputs and parameters");
    }
    return values(tape.gradient(loss, wanted, {.throw_if_unused = false}));
  }

  /// <gradient, directions> as a number, and its gradient by a second sweep.
  double gradient_along(const std::vector<Tensor>& directions) {
    const std::vector<Tensor> g = gradients();
    double total = 0;
    for (std::size_t i = 0; i < g.size(); ++i) {
      for (Size j = 0; j < g[i].elements(); ++j) total += g[i].at(j) * directions[i].at(j);
    }
    return total;
  }
  std::vector<Tensor> second_gradients(const std::vector<Tensor>& directions) {
    Tape tape;
    const std::vector<Variable> wanted = watched(tape);
    const Variable loss =
        scalar(f_({wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(inputs_)}));
    const std::vector<Variable> first = tape.gradient(loss, wanted, {.create_graph = true});
    Variable along;
    for (std::size_t i = 0; i < first.size(); ++i) {
      const Variable part = sum(first[i] * Variable(directions[i]));
      along = along ? Variable(along + part) : part;
    }
    if (!along.recorded()) {  // the gradient is constant
      std::vector<Tensor> zeros;
      for (const Tensor& t : tensors_) zeros.push_back(Tensor::zeros(t.shape(), DType::f64));
      return zeros;
    }
    return values(tape.gradient(along, wanted));
  }

 private:
  std::vector<Variable> watched(Tape& tape) const {
    std::vector<Variable> result;
    for (std::size_t i = 0; i < inputs_; ++i) result.push_back(tape.watch(tensors_[i]));
    for (const Parameter& p : parameters_) result.emplace_back(p);
    return result;
  }
  Variable scalar(const Variable& y) {
    if (y.dtype() != DType::f64) {
      fail<DTypeError>(
          "check_gradients: the function computed a float32 value from float64 inputs and "
          "parameters; "
          "convert the constants it uses");
    }
    if (y.rank() == 0) return y;
    if (!weights_) {
      Rng rng(1);
      weights_ = random_like(y.shape(), rng);
    }
    return sum(y * Variable(weights_));
  }
  static std::vector<Tensor> values(const std::vector<Variable>& variables) {
    std::vector<Tensor> result;
    for (const Variable& v : variables) result.push_back(v.value().contiguous_copy());
    return result;
  }

  const Function& f_;
  std::vector<Parameter> parameters_;
  std::vector<Tensor> tensors_;
  std::size_t inputs_ = 0;
  Tensor weights_;
};

/// Compares analytic derivatives of `value` with differences, element by element.
template <class Value>
void compare(Checked& checked, const std::vector<Tensor>& analytic, const std::string& prefix,
             Value&& value, const CheckOptions& options, CheckReport* report) {
  if (std::isnan(report->error)) return;  // nothing is worse
  const double allowed_absolute = options.absolute * std::max(1.0, std::abs(value()));
  for (std::size_t i = 0; i < checked.tensors().size(); ++i) {
    const Tensor& x = checked.tensors()[i];
    const Size count = x.elements(),
               take = options.elements > 0 ? std::min(options.elements, count) : count;
    for (Size k = 0; k < take; ++k) {
      const Size index = k * count / take;
      const double before = x.at(index), step = options.step * std::max(1.0, std::abs(before));
      const auto at = [&](double moved) {
        x.set(index, moved);
        checked.changed(i);
        return value();
      };
      const double numeric =
          (at(before + step) - at(before - step)) / ((before + step) - (before - step));
      x.set(index, before);
      checked.changed(i);
      const double a = analytic[i].at(index), difference = std::abs(a - numeric);
      const double error =
          difference /
          (allowed_absolute + options.relative * std::max(std::abs(a), std::abs(numeric)));
      ++report->checked;
      const bool worse = !(error <= report->error);  // NaN is worst of all
      if (report->checked > 1 && !worse) continue;
      report->name = prefix + checked.name(i);
      report->index = index;
      report->shape = x.shape();
      report->analytic = a;
      report->numeric = numeric;
      report->error = error;
      report->passed = report->passed && error <= 1;
      if (std::isnan(error)) return;
    }
  }
}

}  // namespace

std::string CheckReport::to_string() const {
  if (checked == 0) return "passed: nothing to check";
  return fmt::format(
      "{}: {} elements, worst {} {}: analytic {:.10g}, numeric {:.10g}, {:.2g} of the allowed "
      "error",
      passed ? "passed" : "FAILED", checked, name, index_text(index, shape), analytic, numeric,
      error);
}

CheckReport check_gradients(const Function& f, const std::vector<Tensor>& inputs,
                            const std::vector<Parameter>& parameters, const CheckOptions& options) {
  const InDouble in_double(parameters);
  Checked checked(f, inputs, parameters);
  CheckReport report;
  compare(
      checked, checked.gradients(), "", [&] { return checked.value(); }, options, &report);
  if (options.second_order) {
    Rng rng(2);
    std::vector<Tensor> directions;
    for (const Tensor& t : checked.tensors()) directions.push_back(random_like(t.shape(), rng));
    compare(
        checked, checked.second_gradients(directions), "second order of ",
        [&] { return checked.gradient_along(directions); }, options, &report);
  }
  return report;
}

CheckReport check_gradients(const std::function<Variable()>& f,
                            const std::vector<Parameter>& parameters, const CheckOptions& options) {
  return check_gradients([&](const std::vector<Variable>&) { return f(); }, {}, parameters,
                         options);
}

}  // namespace hindsight
