#include <hindsight/nn/rnn.h>

namespace hindsight::nn {

RnnCell::RnnCell(Size input, Size hidden, Rng& rng, const RnnOptions& options)
    : GatedCell({1, input, hidden, hidden, options.bias}, rng),
      hidden_(hidden),
      nonlinearity_(options.nonlinearity) {}

State RnnCell::step(const Variable& px, const State& state) const {
  const auto sum = px + matmul(state[0], transpose(weight_hh));
  return {nonlinearity_ == Nonlinearity::relu ? Variable(relu(sum)) : Variable(tanh(sum))};
}

}  // namespace hindsight::nn
