#include <hindsight/nn/rnn.h>

namespace hindsight::nn {

RnnCell::RnnCell(Size input, Size hidden, Rng& rng, const RnnOptions& options)
    : GatedCell({1, input, hidden, hidden, options.bias}, rng),
      hidden_(hidden),
      nonlinearity_(options.nonlinearity) {}

State RnnCell::step(const Variable& px, const State& state) const {
  return with_preactivations(px, state, 1, [&](const auto& sum) -> State {
    if (nonlinearity_ == Nonlinearity::relu) return {relu(sum)};
    return {tanh(sum)};
  });
}

}  // namespace hindsight::nn
