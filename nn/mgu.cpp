#include <hindsight/nn/mgu.h>

namespace hindsight::nn {

State MguCell::step(const Variable& px, const State& state) const {
  const auto [px_f, px_n] = chunk<2>(px);
  const Variable& h = state.recurrent();
  const Variable f = sigmoid(px_f + matmul(h, transpose(slice(weight_hh, 0, 0, hidden_))));
  const Variable product =
      matmul(Variable(f * h), transpose(slice(weight_hh, 0, hidden_, hidden_)));
  return {state[0] + f * (tanh(px_n + product) - state[0])};
}

}  // namespace hindsight::nn
