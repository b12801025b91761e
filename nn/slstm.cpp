#include <hindsight/nn/slstm.h>

#include <cmath>

namespace hindsight::nn {
namespace {

/// The width of a head, checked before parameters are made with it.
Size head_width(Size hidden, const SlstmOptions& options) {
  if (options.heads < 1 || hidden % options.heads != 0)
    fail<OptionError>("SlstmCell: {} heads do not divide a hidden size of {}", options.heads,
                      hidden);
  if (!(options.position >= 0 && options.position <= 1))
    fail<OptionError>("SlstmCell: position {} is outside of [0, 1]", options.position);
  return hidden / options.heads;
}

}  // namespace

SlstmCell::SlstmCell(Size input, Size hidden, Rng& rng, const SlstmOptions& options)
    : GatedCell({4, input, hidden, head_width(hidden, options), true}, rng),
      hidden_(hidden),
      heads_(options.heads) {
  weight_hh.assign(init::zeros(weight_hh.shape()));
  bias_hh.assign(init::zeros(bias_hh.shape()));
  const Tensor bias = init::zeros(bias_ih.shape());
  const Size width = hidden / heads_;
  for (Size unit = 0; unit < hidden && width > 1; ++unit) {  // a power law, as in the authors' code
    const double k = static_cast<double>(unit % width) / static_cast<double>(width - 1);
    bias.set(hidden + unit, 5 - 12 * std::pow(k, 0.3 + 1.3 * options.position));
  }
  bias_ih.assign(bias);
}

Variable SlstmCell::recurrent_product(const Variable& h) const {
  if (heads_ == 1) return matmul(h, transpose(weight_hh));
  const Size rows = h.size(0), width = hidden_ / heads_;
  const Variable by_head = permute(reshape(h, {rows, heads_, width}), {1, 0, 2});
  const Variable weights = reshape(weight_hh, {4, heads_, width, width});
  const Variable products = matmul(by_head, transpose(weights));  // (4, N, B, H / N)
  return reshape(permute(products, {2, 0, 1, 3}), {rows, 4 * hidden_});
}

State SlstmCell::step(const Variable& px, const State& state) const {
  constexpr double kMost = 80;  // exp(80) is finite in float32
  const auto [i, f, z, o] = chunk<4>(px + recurrent_product(state.recurrent()));
  const Variable kept = log_sigmoid(f) + state[3];
  const Variable m = where(is_zero(state[2]), i, maximum(kept, i));
  const Variable input = exp(i - m);
  const Variable forget = exp(minimum(kept - m, kMost));  // above 1 only where n is 0
  const Variable c = forget * state[1] + input * tanh(z);
  const Variable n = forget * state[2] + input;
  return {Variable(sigmoid(o) * c / n), c, n, m};
}

}  // namespace hindsight::nn
