#include <hindsight/autograd/ops/gradient_hooks.h>

#include <cmath>

namespace hindsight {

Variable stop_gradient(const Variable& x) {
  check_given("stop_gradient", x);
  return x.detach();
}

Variable scale_gradient(const Variable& x, double factor) {
  if (!std::isfinite(factor)) fail<OptionError>("scale_gradient: factor {} is not finite", factor);
  return hook_gradient(x, [factor](const Variable& g) { return Variable(g * factor); });
}

Variable clip_gradient(const Variable& x, double limit) {
  if (!(limit > 0)) fail<OptionError>("clip_gradient: limit {} is not above 0", limit);
  return hook_gradient(x, [limit](const Variable& g) { return Variable(clamp(g, -limit, limit)); });
}

}  // namespace hindsight
