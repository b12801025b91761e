#include <hindsight/autograd/tensor/simd.h>
#include <hindsight/optim/adam.h>

#include <algorithm>
#include <cmath>

namespace hindsight::optim {
namespace {

/// The coefficients of one step, in the element type.
template <class T>
struct Rule {
  T scale;                 // of the gradient
  T beta1, beta2, a1, a2;  // a = 1 - beta
  T in_gradient, shrink;   // weight decay: added to the gradient, or a factor of the weight
  T rate, root, epsilon;   // corrected learning rate; w -= rate m / (sqrt(v) root + epsilon)
};

/// Updates `count` weights w and moments m, v from gradients g; `top`: AMSGrad's largest v, or
/// null.
template <class T>
void apply_rule(Rule<T> r, const T* g, T* w, T* m, T* v, T* top, Size count) {
  // Written once for registers and for single elements; because of sqrt the compiler would not
  // vectorize it by itself.
  const auto change = [&](auto load, auto store, auto largest_of) {
    const auto x = load(w);
    const auto d = r.scale * load(g) + r.in_gradient * x;
    const auto first = r.beta1 * load(m) + r.a1 * d;
    auto second = r.beta2 * load(v) + r.a2 * d * d;
    store(m, first);
    store(v, second);
    if (top) store(top, second = largest_of(load(top), second));
    using std::sqrt;
    store(w, r.shrink * x - r.rate * first / (sqrt(second) * r.root + r.epsilon));
  };
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
}

}  // namespace

Adam::Adam(const std::vector<Parameter>& parameters, const AdamOptions& options)
    : Adam(parameters, options, Decay::in_gradient) {}

Adam::Adam(const std::vector<Parameter>& parameters, const AdamOptions& options, Decay decay)
    : Optimizer(parameters, detail::step_options(options)),
      options_(options),
      decay_(decay),
      updates_(parameters.size()) {
  const auto is_rate = [](double x) { return x >= 0 && x < 1; };
  if (!is_rate(options.beta1) || !is_rate(options.beta2)) {
    fail<OptionError>("Adam: beta1 {} and beta2 {} must be in [0, 1)", options.beta1,
                      options.beta2);
  }
  if (!(options.epsilon >= 0) || !(options.weight_decay >= 0)) {
    fail<OptionError>("Adam: epsilon {} and weight decay {} must not be negative", options.epsilon,
                      options.weight_decay);
  }
  // Allocated now, so that no later step allocates.
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    state_of(first_, parameters[i], i);
    state_of(second_, parameters[i], i);
    if (options.amsgrad) state_of(largest_, parameters[i], i);
  }
}

AdamW::AdamW(const std::vector<Parameter>& parameters, const AdamWOptions& options)
    : Adam(parameters,
           {.learning_rate = options.learning_rate,
            .beta1 = options.beta1,
            .beta2 = options.beta2,
            .epsilon = options.epsilon,
            .weight_decay = options.weight_decay,
            .amsgrad = options.amsgrad,
            .clip_norm = options.clip_norm,
            .regularizers = options.regularizers,
            .on_non_finite = options.on_non_finite},
           Decay::decoupled) {}

void Adam::update(std::size_t i, const Tensor& gradient, double scale) {
  const Parameter& parameter = parameters()[i];
  const auto t = static_cast<double>(++updates_[i]);
  const double correction1 = 1 - std::pow(options_.beta1, t),
               correction2 = 1 - std::pow(options_.beta2, t);
  const bool decoupled = decay_ == Decay::decoupled;
  dispatch(gradient.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto of = [](double x) { return static_cast<T>(x); };
    const Rule<T> rule{
        of(scale),
        of(options_.beta1),
        of(options_.beta2),
        of(1 - options_.beta1),  // in double, then rounded
        of(1 - options_.beta2),
        of(decoupled ? 0 : options_.weight_decay),
        of(decoupled ? 1 - learning_rate() * options_.weight_decay : 1),
        of(learning_rate() / correction1),
        of(1 / std::sqrt(correction2)),
        of(options_.epsilon),
    };
    T* top = options_.amsgrad ? state_of(largest_, parameter, i).template data<T>() : nullptr;
    apply_rule(rule, gradient.data<T>(), parameter.value().data<T>(),
               state_of(first_, parameter, i).template data<T>(),
               state_of(second_, parameter, i).template data<T>(), top, gradient.elements());
  });
}

}  // namespace hindsight::optim
