#include <hindsight/optim/sgd.h>

namespace hindsight::optim {

Sgd::Sgd(const std::vector<Parameter>& parameters, const SgdOptions& options)
    : Optimizer(parameters, detail::step_options(options)), options_(options) {
  if (!(options.momentum >= 0) || !(options.weight_decay >= 0)) {
    fail<OptionError>("Sgd: momentum {} and weight decay {} must not be negative", options.momentum,
                      options.weight_decay);
  }
  if (options.nesterov && (options.momentum == 0 || options.dampening != 0)) {
    fail<OptionError>("Sgd: nesterov needs a momentum and no dampening");
  }
  started_.resize(parameters.size());
  for (std::size_t i = 0; options.momentum > 0 && i < parameters.size(); ++i) {
    // Allocated now, so that no later step allocates.
    state_of(momentum_, parameters[i], i);
  }
}

void Sgd::update(std::size_t i, const Tensor& gradient, double scale) {
  const Parameter& parameter = parameters()[i];
  dispatch(gradient.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* w = parameter.value().data<T>();
    const T* g = gradient.data<T>();
    const Size n = gradient.elements();
    const T s = static_cast<T>(scale), rate = static_cast<T>(learning_rate()),
            decay = static_cast<T>(options_.weight_decay);
    if (options_.momentum == 0) {
      for (Size k = 0; k < n; ++k) w[k] -= rate * (s * g[k] + decay * w[k]);
      return;
    }
    const bool first = !started_[i];
    started_[i] = true;
    T* b = state_of(momentum_, parameter, i).template data<T>();
    const T mu = first ? T(0) : static_cast<T>(options_.momentum),
            keep = first ? T(1) : static_cast<T>(1 - options_.dampening);
    const T ahead = options_.nesterov ? static_cast<T>(options_.momentum) : T(1),
            direct = options_.nesterov ? T(1) : T(0);
    for (Size k = 0; k < n; ++k) {
      const T d = s * g[k] + decay * w[k];
      b[k] = mu * b[k] + keep * d;
      w[k] -= rate * (direct * d + ahead * b[k]);
    }
  });
}

}  // namespace hindsight::optim
