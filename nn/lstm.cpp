#include <hindsight/nn/lstm.h>

namespace hindsight::nn {
namespace {

/// The width of the output, checked before parameters are made with it.
Size output_width(Size hidden, const LstmOptions& options) {
  if (options.projection < 0 || options.projection >= hidden) {
    fail<OptionError>("LstmCell: projection {} is outside of [0, {})", options.projection, hidden);
  }
  return options.projection ? options.projection : hidden;
}

}  // namespace

LstmCell::LstmCell(Size input, Size hidden, Rng& rng, const LstmOptions& options)
    : GatedCell({4, input, hidden, output_width(hidden, options), options.bias}, rng),
      hidden_(hidden),
      output_(weight_hh.shape()[1]) {
  if (options.projection) {
    weight_hr = parameter(
        "weight_hr",
        init::uniform({output_, hidden}, 1 / std::sqrt(static_cast<double>(hidden)), rng));
  }
}

State LstmCell::step(const Variable& px, const State& state) const {
  const auto [i, f, g, o] = chunk<4>(px + matmul(state[0], transpose(weight_hh)));
  const Variable c = sigmoid(f) * state[1] + sigmoid(i) * tanh(g);
  const Variable h = sigmoid(o) * tanh(c);
  return {weight_hr ? matmul(h, transpose(weight_hr)) : h, c};
}

Widths LstmCell::state_sizes() const { return {output_, hidden_}; }

}  // namespace hindsight::nn
