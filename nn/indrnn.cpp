#include <hindsight/nn/indrnn.h>

#include <algorithm>
#include <cmath>

namespace hindsight::nn {

IndRnnCell::IndRnnCell(Size input, Size hidden, Rng& rng, const IndRnnOptions& options)
    : hidden_(hidden), nonlinearity_(options.nonlinearity) {
  weight_ih = parameter("weight_ih", init::normal({hidden, input}, 0.001, rng));
  weight_hh = parameter("weight_hh", init::constant({hidden}, 1));
  bias = parameter("bias", init::zeros({hidden}));
}

Variable IndRnnCell::project(const Variable& inputs) const {
  return linear(inputs, weight_ih, bias);
}

Variable IndRnnCell::project(const Indices& symbols) const {
  return take(transpose(weight_ih), symbols) + bias;
}

State IndRnnCell::step(const Variable& px, const State& state) const {
  return {detail::with_nonlinearity(nonlinearity_, px + weight_hh * state.recurrent(),
                                    [](const auto& h) { return Variable(h); })};
}

void IndRnnCell::clamp(Size longest) const {
  if (longest < 1)
    fail<OptionError>("IndRnnCell: clamp to {} time steps; at least 1 is needed", longest);
  const double bound = std::exp2(1 / static_cast<double>(longest));
  const Tensor& u = weight_hh.value();
  for (Size unit = 0; unit < hidden_; ++unit) u.set(unit, std::clamp(u.at(unit), -bound, bound));
  Parameter(weight_hh).changed();
}

}  // namespace hindsight::nn
