#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/losses.h>
#include <hindsight/autograd/ops/reduce.h>

namespace hindsight {
namespace {

void check_pair(const char* op, const Variable& prediction, const Variable& target) {
  check_given(op, prediction);
  check_given(op, target, 1);
  check_same_dtype(op, prediction, target);
  if (prediction.shape() != target.shape()) {
    fail<ShapeError>("{}: prediction {} and target {} need the same shape", op, prediction.shape(),
                     target.shape());
  }
}

Variable reduced(const char* op, const Variable& losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  if (reduction == Reduction::sum) return sum(losses);
  if (losses.shape().elements() == 0)
    fail<ShapeError>("{}: shape {} has no elements", op, losses.shape());
  return mean(losses);
}

/// max(x, 0) - x t + log(1 + exp(-|x|)), as a sum of two terms that are not negative.
struct BceWithLogits {
  static constexpr unsigned kLeftReads = kLeft | kRight, kRightReads = kLeft;
  static constexpr bool kSaved = true;
  static constexpr const char* kName = "bce_with_logits";
  template <class X, class T>
  auto value(const X& x, const T& t) const {
    return x * (select(x > X(0), X(1), X(0)) - t) + log1p(exp(-abs(x)));
  }
  template <class X, class T, class Y>
  auto by_left(const X& x, const T& t, const Y&) const {
    return sigmoid(x) - t;
  }
  template <class X, class T, class Y>
  auto by_right(const X& x, const T&, const Y&) const {
    return -x;
  }
};

/// d c - c^2 / 2 with c = d clamped to [-delta, delta].
Variable huber(const Variable& prediction, const Variable& target, double delta, double scale) {
  const auto d = prediction - target;
  const auto c = minimum(maximum(d, -delta), delta);
  return c * (d - 0.5 * c) * scale;
}

}  // namespace

Variable mse_loss(const Variable& prediction, const Variable& target, const LossOptions& options) {
  check_pair("mse_loss", prediction, target);
  return reduced("mse_loss", square(prediction - target), options.reduction);
}

Variable l1_loss(const Variable& prediction, const Variable& target, const LossOptions& options) {
  check_pair("l1_loss", prediction, target);
  return reduced("l1_loss", abs(prediction - target), options.reduction);
}

Variable huber_loss(const Variable& prediction, const Variable& target,
                    const HuberOptions& options) {
  check_pair("huber_loss", prediction, target);
  if (!(options.delta > 0)) fail<OptionError>("huber_loss: delta {} is not above 0", options.delta);
  return reduced("huber_loss", huber(prediction, target, options.delta, 1), options.reduction);
}

Variable smooth_l1_loss(const Variable& prediction, const Variable& target,
                        const SmoothL1Options& options) {
  check_pair("smooth_l1_loss", prediction, target);
  const double beta = options.beta;
  if (!(beta >= 0)) fail<OptionError>("smooth_l1_loss: beta {} is below 0", beta);
  const Variable losses =
      beta == 0 ? Variable(abs(prediction - target)) : huber(prediction, target, beta, 1 / beta);
  return reduced("smooth_l1_loss", losses, options.reduction);
}

Variable bce_with_logits(const Variable& logits, const Variable& target,
                         const LossOptions& options) {
  check_pair("bce_with_logits", logits, target);
  return reduced("bce_with_logits", elementwise(BceWithLogits{}, logits, target),
                 options.reduction);
}

}  // namespace hindsight
