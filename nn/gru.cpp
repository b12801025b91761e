#include <hindsight/nn/gru.h>

namespace hindsight::nn {

GruCell::GruCell(Size input, Size hidden, Rng& rng, const GruOptions& options)
    : GatedCell({3, input, hidden, hidden, options.bias}, rng),
      hidden_(hidden),
      reset_after_(options.reset_after) {}

// The reset gate multiplies b_hn, too, if it multiplies the product.
Variable GruCell::projected_bias() const {
  if (!reset_after_) return bias_ih + bias_hh;
  const Size gates = 2 * hidden_;
  const Variable both = slice(bias_ih, 0, 0, gates) + slice(bias_hh, 0, 0, gates);
  return concat({both, slice(bias_ih, 0, gates, hidden_)}, 0);
}

State GruCell::step(const Variable& px, const State& state) const {
  return {reset_after_ ? step_after(px, state) : step_before(px, state)};
}

// (1 - z) n + z h is written as h + (1 - z) (n - h), which names n and z once: a step is one pass.
Variable GruCell::step_after(const Variable& px, const State& state) const {
  const auto [px_r, px_z, px_n] = chunk<3>(px);
  const auto [u_r, u_z, u_n] = chunk<3>(matmul(state.recurrent(), transpose(weight_hh)));
  const auto r = sigmoid(px_r + u_r);
  const auto z = sigmoid(px_z + u_z);
  const Variable& h = state[0];
  if (!bias_hh) return h + (1 - z) * (tanh(px_n + r * u_n) - h);
  const Variable bias_n = slice(bias_hh, 0, 2 * hidden_, hidden_);
  return h + (1 - z) * (tanh(px_n + r * (u_n + bias_n)) - h);
}

Variable GruCell::step_before(const Variable& px, const State& state) const {
  const Size gates = 2 * hidden_;
  const Variable& h = state.recurrent();
  const auto [r, z] =
      chunk<2>(slice(px, 1, 0, gates) + matmul(h, transpose(slice(weight_hh, 0, 0, gates))));
  const Variable product =
      matmul(Variable(sigmoid(r) * h), transpose(slice(weight_hh, 0, gates, hidden_)));
  return state[0] + (1 - sigmoid(z)) * (tanh(slice(px, 1, gates, hidden_) + product) - state[0]);
}

}  // namespace hindsight::nn
