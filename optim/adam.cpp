#include <hindsight/autograd/simd.h>
#include <hindsight/optim/adam.h>

#include <algorithm>
#include <cmath>

namespace hindsight::optim {

Adam::Adam(const std::vector<Parameter>& parameters, const AdamOptions& options)
    : Adam(parameters, options, Decay::in_gradient) {}

Adam::Adam(const std::vector<Parameter>& parameters, const AdamOptions& options, Decay decay)
    : Optimizer(parameters, {options.learning_rate, options.clip_norm, options.regularizers,
                             options.on_non_finite}),
      options_(options),
      decay_(decay),
      updates_(parameters.size()) {
  const auto is_rate = [](double x) { return x >= 0 && x < 1; };
  if (!is_rate(options.beta1) || !is_rate(options.beta2)) {
    fail<OptionError>("Adam: beta1 {} and beta2 {} must lie in [0, 1)", options.beta1,
                      options.beta2);
  }
  if (!(options.epsilon >= 0) || !(options.weight_decay >= 0)) {
    fail<OptionError>("Adam: epsilon {} and weight decay {} must not be negative", options.epsilon,
                      options.weight_decay);
  }
  for (std::size_t i = 0; i < parameters.size();
       ++i) {  // now, so that no later step asks the system for memory
    remembered(first_, parameters[i], i);
    remembered(second_, parameters[i], i);
    if (options.amsgrad) remembered(largest_, parameters[i], i);
  }
}

void Adam::update(std::size_t i, const Tensor& gradient, double scale) {
  const Parameter& parameter = parameters()[i];
  const auto t = static_cast<double>(++updates_[i]);
  const double correction1 = 1 - std::pow(options_.beta1, t),
               correction2 = 1 - std::pow(options_.beta2, t);
  dispatch(gradient.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* w = parameter.value().data<T>();
    T* m = remembered(first_, parameter, i).template data<T>();
    T* v = remembered(second_, parameter, i).template data<T>();
    T* top = options_.amsgrad ? remembered(largest_, parameter, i).template data<T>() : nullptr;
    const T* g = gradient.data<T>();
    const T s = static_cast<T>(scale), b1 = static_cast<T>(options_.beta1),
            b2 = static_cast<T>(options_.beta2);
    const T a1 = static_cast<T>(1 - options_.beta1),
            a2 = static_cast<T>(1 - options_.beta2);  // exact before rounding
    const T in_gradient =
        decay_ == Decay::in_gradient ? static_cast<T>(options_.weight_decay) : T(0);
    const T shrink = decay_ == Decay::decoupled
                         ? static_cast<T>(1 - learning_rate() * options_.weight_decay)
                         : T(1);
    const T rate = static_cast<T>(learning_rate() / correction1),
            root = static_cast<T>(1 / std::sqrt(correction2));
    const T epsilon = static_cast<T>(options_.epsilon);
    // The same lines for a register of elements and for one: sqrt keeps the compiler from
    // vectorizing.
    const auto change = [&](auto load, auto store, auto largest_of) {
      const auto x = load(w);
      const auto d = s * load(g) + in_gradient * x;
      const auto first = b1 * load(m) + a1 * d;
      auto second = b2 * load(v) + a2 * d * d;
      store(m, first);
      store(v, second);
      if (top) store(top, second = largest_of(load(top), second));
      using std::sqrt;
      store(w, shrink * x - rate * first / (sqrt(second) * root + epsilon));
    };
    const Size count = gradient.elements();
    Size k = 0;
    for (; k + simd::kWidth<T> <= count; k += simd::kWidth<T>) {
      change([k](const T* from) { return simd::load(from + k); },
             [k](T* to, const auto& x) { simd::store(to + k, x); },
             [](const auto& x, const auto& y) { return xsimd::max(x, y); });
    }
    for (; k < count; ++k) {
      change([k](const T* from) { return from[k]; }, [k](T* to, T x) { to[k] = x; },
             [](T x, T y) { return std::max(x, y); });
    }
  });
}

}  // namespace hindsight::optim
