#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/layer_norm.h>
#include <hindsight/autograd/ops/reduce.h>

namespace hindsight {

Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias,
                    const LayerNormOptions& options) {
  check_given("layer_norm", x);
  check_given("layer_norm", weight, 1);
  check_given("layer_norm", bias, 2);
  const bool filled = x.rank() > 0 && x.shape().back() > 0;
  if (!filled || weight.shape() != Shape{x.shape().back()} || bias.shape() != weight.shape()) {
    fail<ShapeError>(
        "layer_norm: x {}, weight {} and bias {}: (..., N), (N,) and (N,) are needed, N > 0",
        x.shape(), weight.shape(), bias.shape());
  }
  const Variable centered = x - mean(x, {-1}, KeepDims::yes);
  const Variable variance = mean(square(centered), {-1}, KeepDims::yes);
  const Variable scale = 1 / sqrt(variance + options.epsilon);
  return centered * scale * weight + bias;
}

}  // namespace hindsight
