#include <hindsight/nn/conv_lstm.h>

#include <cmath>
#include <vector>

namespace hindsight::nn {

GatedCell::Sizes ConvLstmCell::sizes(Size input, Size hidden, const ConvLstmOptions& options) {
  const Size length = options.length, kernel = options.kernel;
  if (length < 1 || input % length != 0 || hidden % length != 0) {
    fail<OptionError>("ConvLstmCell: length {} does not divide input {} and hidden {}", length,
                      input, hidden);
  }
  if (kernel < 1) fail<OptionError>("ConvLstmCell: kernel {} is below 1", kernel);
  return {4, kernel * (input / length), hidden / length, kernel * (hidden / length), options.bias};
}

ConvLstmCell::ConvLstmCell(Size input, Size hidden, Rng& rng, const ConvLstmOptions& options)
    : GatedCell(sizes(input, hidden, options), rng),
      hidden_(hidden),
      length_(options.length),
      kernel_(options.kernel) {
  const double bound = 1 / std::sqrt(static_cast<double>(weight_hh.shape()[1]));
  for (Parameter& p : parameters()) p.assign(init::uniform(p.shape(), bound, rng));
}

/// Each position with its neighbours: (..., L C) -> (..., L, K C).
Variable ConvLstmCell::neighbours(const Variable& rows) const {
  Shape shape = rows.shape();
  const Size channels = shape.back() / length_;
  shape.set(rows.rank() - 1, length_);
  shape.push_back(channels);
  const Variable padded = pad(reshape(rows, shape), -2, (kernel_ - 1) / 2, kernel_ / 2);
  std::vector<Variable> shifted;
  for (Size k = 0; k < kernel_; ++k) shifted.push_back(slice(padded, -2, k, length_));
  return concat(shifted, -1);
}

Variable ConvLstmCell::project(const Variable& inputs) const {
  return GatedCell::project(neighbours(inputs));
}

State ConvLstmCell::step(const Variable& px, const State& state) const {
  const Size rows = px.size(0);
  const auto [i, f, g, o] =
      chunk<4>(px + matmul(neighbours(state.recurrent()), transpose(weight_hh)));
  const Variable before = reshape(state[1], {rows, length_, hidden_ / length_});
  const Variable c = sigmoid(f) * before + sigmoid(i) * tanh(g);
  const Variable h = sigmoid(o) * tanh(c);
  return {reshape(h, {rows, hidden_}), reshape(c, {rows, hidden_})};
}

}  // namespace hindsight::nn
