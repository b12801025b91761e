#include <hindsight/optim/optimizer.h>

#include <cmath>

namespace hindsight::optim {
namespace {

constexpr double kShrink = 0.02;  // as in the published code of Pascanu et al.

/// Sum of squares, in double.
double square_sum(const Tensor& t) {
  return dispatch(t.dtype(), [&](auto zero) {
    const auto* values = t.data<decltype(zero)>();
    constexpr Size kLanes = 16;  // side by side, so that the compiler vectorizes
    double lanes[kLanes] = {};
    Size i = 0;
    for (; i + kLanes <= t.elements(); i += kLanes) {
      for (Size l = 0; l < kLanes; ++l)
        lanes[l] += static_cast<double>(values[i + l]) * static_cast<double>(values[i + l]);
    }
    for (; i < t.elements(); ++i)
      lanes[0] += static_cast<double>(values[i]) * static_cast<double>(values[i]);
    double total = 0;
    for (double lane : lanes) total += lane;
    return total;
  });
}

/// to += factor * from
void add_scaled(const Tensor& to, double factor, const Tensor& from) {
  dispatch(to.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* t = to.data<T>();
    const T* f = from.data<T>();
    const T a = static_cast<T>(factor);
    for (Size i = 0; i < to.elements(); ++i) t[i] += a * f[i];
  });
}

}  // namespace

Optimizer::Optimizer(const std::vector<Parameter>& parameters, const StepOptions& options)
    : parameters_(parameters), gradients_(parameters.size()), options_(options) {
  if (parameters.empty()) fail<OptionError>("optimizer: there are no parameters to update");
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i]) fail("optimizer: parameter {} is empty", i);
    for (std::size_t j = 0; j < i; ++j) {
      if (parameters[i].data() == parameters[j].data())
        fail<OptionError>("optimizer: {} is given twice", parameters[i].name());
    }
  }
  set_learning_rate(options.learning_rate);
  if (!(options.clip_norm >= 0))
    fail<OptionError>("optimizer: clip_norm {} is negative", options.clip_norm);
  for (const L2& penalty : options.regularizers) {
    if (!(penalty.strength >= 0))
      fail<OptionError>("optimizer: L2 strength {} is negative", penalty.strength);
  }
  // The gradients' memory is allocated now and kept, so that no later step allocates.
  for (const Parameter& parameter : parameters)
    parameter.data()->gradient.reserve(parameter.shape(), parameter.dtype());
}

void Optimizer::set_learning_rate(double rate) {
  if (!(rate >= 0) || !std::isfinite(rate))
    fail<OptionError>("optimizer: learning rate {}; a finite number of at least 0 is needed", rate);
  options_.learning_rate = rate;
}

Report Optimizer::step() {
  collect();
  regularize();
  Report report;
  report.gradient_norm = norm();
  const bool finite = std::isfinite(report.gradient_norm);
  if (!finite && options_.on_non_finite == OnNonFinite::raise) throw_not_finite();
  report.skipped = !finite && options_.on_non_finite == OnNonFinite::skip;
  report.shrunk = !finite && options_.on_non_finite == OnNonFinite::shrink;
  report.clipped = finite && options_.clip_norm > 0 && report.gradient_norm > options_.clip_norm;
  // The 1e-6 is that of PyTorch's clip_grad_norm_.
  const double scale = report.clipped ? options_.clip_norm / (report.gradient_norm + 1e-6) : 1;
  if (!report.skipped) ++steps_;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!gradients_[i]) continue;
    if (report.shrunk) {
      update(i, parameters_[i].value().contiguous_copy(), kShrink);
    } else if (!report.skipped) {
      update(i, gradients_[i], scale);
    }
    parameters_[i].changed();
    parameters_[i].clear_gradient();
    gradients_[i] = Tensor();
  }
  return report;
}

void Optimizer::collect() {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    gradients_[i] = parameters_[i].has_gradient() ? parameters_[i].gradient() : Tensor();
  }
}

void Optimizer::regularize() {
  for (const L2& penalty : options_.regularizers) {
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      if (!gradients_[i]) continue;
      // On a copy, as users may look at the gradients.
      if (gradients_[i].buffer() == parameters_[i].data()->gradient.buffer())
        gradients_[i] = gradients_[i].contiguous_copy();
      add_scaled(gradients_[i], penalty.strength, parameters_[i].value());
    }
  }
}

double Optimizer::norm() const {
  double squares = 0;
  for (const Tensor& gradient : gradients_) squares += gradient ? square_sum(gradient) : 0;
  return std::sqrt(squares);
}

void Optimizer::throw_not_finite() const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (gradients_[i] && !all_finite(gradients_[i])) {
      fail<NonFiniteError>("optimizer: the gradient of {} is not finite in step {}",
                           parameters_[i].name(), steps_ + 1);
    }
  }
  fail<NonFiniteError>("optimizer: the norm of the gradient overflows in step {}", steps_ + 1);
}

Tensor& Optimizer::state_of(std::vector<Tensor>& memory, const Parameter& parameter,
                            std::size_t i) {
  if (memory.size() <= i) memory.resize(i + 1);
  if (!memory[i] || memory[i].dtype() != parameter.dtype())
    memory[i] = memory[i] ? memory[i].to(parameter.dtype())
                          : Tensor::zeros(parameter.shape(), parameter.dtype());
  return memory[i];
}

}  // namespace hindsight::optim
