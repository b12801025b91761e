#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/rhn.h>

#include <cmath>

namespace hindsight::nn {

RhnCell::RhnCell(Size input, Size hidden, Rng& rng, const RhnOptions& options) : hidden_(hidden) {
  if (options.depth < 1) fail<OptionError>("RhnCell: depth {} is below 1", options.depth);
  if (!std::isfinite(options.transform_bias))
    fail<OptionError>("RhnCell: transform_bias {} is not finite", options.transform_bias);
  constexpr double kBound = 0.04;  // of the authors' code
  weight_ih = parameter("weight_ih", init::uniform({2 * hidden, input}, kBound, rng));
  for (Size depth = 0; depth < options.depth; ++depth) {
    weight_hh.push_back(parameter(fmt::format("weight_hh_d{}", depth),
                                  init::uniform({2 * hidden, hidden}, kBound, rng)));
    const Tensor values = init::uniform({2 * hidden}, kBound, rng);
    for (Size unit = hidden; unit < 2 * hidden; ++unit) values.set(unit, options.transform_bias);
    bias.push_back(parameter(fmt::format("bias_d{}", depth), values));
  }
}

Variable RhnCell::project(const Variable& inputs) const {
  return linear(inputs, weight_ih, bias.front());
}

Variable RhnCell::project(const Indices& symbols) const {
  return take(transpose(weight_ih), symbols) + bias.front();
}

State RhnCell::step(const Variable& px, const State& state) const {
  Variable s = state[0];
  for (std::size_t l = 0; l < weight_hh.size(); ++l) {
    const Variable sums = l == 0 ? Variable(px + matmul(state.recurrent(), transpose(weight_hh[0])))
                                 : linear(s, weight_hh[l], bias[l]);
    const auto [h, t] = chunk<2>(sums);
    s = s + sigmoid(t) * (tanh(h) - s);
  }
  return {s};
}

}  // namespace hindsight::nn
