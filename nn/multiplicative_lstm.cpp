#include <hindsight/nn/multiplicative_lstm.h>

namespace hindsight::nn {

MultiplicativeLstmCell::MultiplicativeLstmCell(Size input, Size hidden, Rng& rng,
                                               const MultiplicativeLstmOptions& options)
    : LstmCell(input, hidden, rng, {.bias = options.bias}) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  weight_mx = parameter("weight_mx", init::uniform({hidden, input}, bound, rng));
  weight_mh = parameter("weight_mh", init::uniform({hidden, hidden}, bound, rng));
}

Variable MultiplicativeLstmCell::project(const Variable& inputs) const {
  return concat({LstmCell::project(inputs), matmul(inputs, transpose(weight_mx))}, -1);
}

Variable MultiplicativeLstmCell::project(const Indices& symbols) const {
  return concat({LstmCell::project(symbols), take(transpose(weight_mx), symbols)}, -1);
}

State MultiplicativeLstmCell::step(const Variable& px, const State& state) const {
  const Size gates = weight_ih.shape()[0], hidden = weight_mh.shape()[0];
  const Variable m = slice(px, 1, gates, hidden) * matmul(state.recurrent(), transpose(weight_mh));
  State reading_m = state;
  reading_m.set_recurrent(m);
  return LstmCell::step(slice(px, 1, 0, gates), reading_m);
}

}  // namespace hindsight::nn
