#include <hindsight/optim/adam.h>

#include <cmath>

namespace hindsight::optim {

Adam::Adam(const std::vector<Parameter>& parameters, const AdamOptions& options) : Adam(parameters, options, Decay::in_gradient) {}

Adam::Adam(const std::vector<Parameter>& parameters, const AdamOptions& options, Decay decay)
    : Optimizer(parameters, {options.learning_rate, options.clip_norm, options.regularizers, options.on_non_finite}),
      options_(options),
      decay_(decay),
      updates_(parameters.size()) {
  const auto is_rate = [](double x) { return x >= 0 && x < 1; };
  if (!is_rate(options.beta1) || !is_rate(options.beta2)) {
    fail<OptionError>("Adam: beta1 {} and beta2 {} must lie in [0, 1)", options.beta1, options.beta2);
  }
  if (!(options.epsilon >= 0) || !(options.weight_decay >= 0)) {
    fail<OptionError>("Adam: epsilon {} and weight decay {} must not be negative", options.epsilon, options.weight_decay);
  }
}

void Adam::update(std::size_t i, const Tensor& gradient, double scale) {
  const Parameter& parameter = parameters()[i];
  const auto t = static_cast<double>(++updates_[i]);
  const double correction1 = 1 - std::pow(options_.beta1, t), correction2 = 1 - std::pow(options_.beta2, t);
  dispatch(gradient.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* w = parameter.value().data<T>();
    T* m = remembered(first_, parameter, i).template data<T>();
    T* v = remembered(second_, parameter, i).template data<T>();
    T* top = options_.amsgrad ? remembered(largest_, parameter, i).template data<T>() : nullptr;
    const T* g = gradient.data<T>();
    const T s = static_cast<T>(scale), b1 = static_cast<T>(options_.beta1), b2 = static_cast<T>(options_.beta2);
    const T a1 = static_cast<T>(1 - options_.beta1), a2 = static_cast<T>(1 - options_.beta2);  // exact before rounding
    const T in_gradient = decay_ == Decay::in_gradient ? static_cast<T>(options_.weight_decay) : T(0);
    const T shrink = decay_ == Decay::decoupled ? static_cast<T>(1 - learning_rate() * options_.weight_decay) : T(1);
    const T rate = static_cast<T>(learning_rate() / correction1), root = static_cast<T>(1 / std::sqrt(correction2));
    const T epsilon = static_cast<T>(options_.epsilon);
    for (Size k = 0; k < gradient.elements(); ++k) {
      const T d = s * g[k] + in_gradient * w[k];
      m[k] = b1 * m[k] + a1 * d;
      v[k] = b2 * v[k] + a2 * d * d;
      T second = v[k];
      if (top) second = top[k] = std::max(top[k], second);
      w[k] = shrink * w[k] - rate * m[k] / (std::sqrt(second) * root + epsilon);
    }
  });
}

}  // namespace hindsight::optim
