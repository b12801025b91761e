#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/reservoir.h>

#include <algorithm>
#include <cmath>

namespace hindsight::nn {
namespace {

bool positive(double x) { return x > 0 && std::isfinite(x); }

void check(const ReservoirOptions& options, Size hidden) {
  if (!positive(options.spectral_radius)) {
    fail<OptionError>("ReservoirCell: spectral_radius {}; it must be positive and finite",
                      options.spectral_radius);
  }
  if (!(options.leak > 0 && options.leak <= 1))
    fail<OptionError>("ReservoirCell: leak {} is outside of (0, 1]", options.leak);
  if (options.links < 1)
    fail<OptionError>("ReservoirCell: {} links; each unit needs at least 1", options.links);
  if (!positive(options.input_scale)) {
    fail<OptionError>("ReservoirCell: input_scale {}; it must be positive and finite",
                      options.input_scale);
  }
  if (options.bias_scale != 0 && !positive(options.bias_scale)) {
    fail<OptionError>("ReservoirCell: bias_scale {}; it must be at least 0 and finite",
                      options.bias_scale);
  }
  const Tensor& given = options.recurrent_weight;
  if (!given) return;
  if (given.shape() != Shape{hidden, hidden}) {
    fail<ShapeError>("ReservoirCell: recurrent_weight is {}; {} is needed", given.shape(),
                     Shape{hidden, hidden});
  }
  if (!all_finite(given))
    fail<NonFiniteError>("ReservoirCell: recurrent_weight has elements that are not finite");
}

/// The recurrent weights, drawn if none are given, with the spectral radius that the options ask
/// for.
Tensor recurrent(const ReservoirOptions& options, Size hidden, Rng& rng) {
  const Tensor w = options.recurrent_weight ? options.recurrent_weight.to(DType::f32)
                                            : init::sparse(
                                                  {hidden, hidden}, std::min(options.links, hidden),
                                                  [&] { return rng.uniform(-1, 1); }, rng);
  const double radius = init::spectral_radius(w);
  if (radius == 0) {
    fail<OptionError>(
        "ReservoirCell: recurrent_weight is nilpotent: its spectral radius is 0 and cannot be "
        "rescaled to {}",
        options.spectral_radius);
  }
  return Variable(Variable(w) * (options.spectral_radius / radius)).value();
}

}  // namespace

ReservoirCell::ReservoirCell(Size input, Size hidden, Rng& rng, const ReservoirOptions& options)
    : leak_(options.leak) {
  check(options, hidden);
  float32_.recurrent = recurrent(options, hidden, rng);
  float32_.input = init::uniform({hidden, input}, options.input_scale, rng);
  float32_.bias = init::uniform({hidden}, options.bias_scale, rng);
  float64_ = {float32_.input.to(DType::f64), float32_.recurrent.to(DType::f64),
              float32_.bias.to(DType::f64)};
}

Variable ReservoirCell::project(const Variable& inputs) const {
  const Weights& w = weights(inputs.dtype());
  return linear(inputs, w.input, w.bias);
}

State ReservoirCell::step(const Variable& pu, const State& state) const {
  const Variable w(weights(pu.dtype()).recurrent);
  const Variable product = matmul(state.recurrent(), transpose(w));
  if (leak_ == 1) return {tanh(pu + product)};
  return {(1 - leak_) * state[0] + leak_ * tanh(pu + product)};
}

}  // namespace hindsight::nn
