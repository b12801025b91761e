#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/cfc.h>
#include <hindsight/nn/init.h>

#include <cmath>

namespace hindsight::nn {

CfcCell::CfcCell(Size input, Size hidden, Rng& rng, const CfcOptions& options)
    : hidden_(hidden), units_(options.units), elapsed_(options.elapsed) {
  if (units_ < 1) fail<OptionError>("CfcCell: units {} is below 1", units_);
  if (elapsed_ && input < 2) {
    fail<OptionError>("CfcCell: elapsed with input {}; a column besides the elapsed time is needed",
                      input);
  }
  const Size columns = elapsed_ ? input - 1 : input;
  const auto glorot = [](Size inputs, Size outputs) {
    return std::sqrt(6 / static_cast<double>(inputs + outputs));
  };
  const auto bias_bound = [](Size inputs) { return 1 / std::sqrt(static_cast<double>(inputs)); };
  const double bound = glorot(columns + hidden, units_);
  weight_ih = parameter("weight_ih", init::uniform({units_, columns}, bound, rng));
  weight_hh = parameter("weight_hh", init::uniform({units_, hidden}, bound, rng));
  bias_ih = parameter("bias_ih", init::uniform({units_}, bias_bound(columns + hidden), rng));
  weight_zh =
      parameter("weight_zh", init::uniform({4 * hidden, units_}, glorot(units_, hidden), rng));
  bias_zh = parameter("bias_zh", init::uniform({4 * hidden}, bias_bound(units_), rng));
}

Variable CfcCell::project(const Variable& inputs) const {
  if (!elapsed_) return linear(inputs, weight_ih, bias_ih);
  const Size columns = weight_ih.shape()[1];
  return concat(
      {linear(slice(inputs, -1, 0, columns), weight_ih, bias_ih), slice(inputs, -1, columns, 1)},
      -1);
}

State CfcCell::step(const Variable& px, const State& state) const {
  const auto product = matmul(state.recurrent(), transpose(weight_hh));
  const Variable z = 1.7159 * tanh(0.666 * (slice(px, 1, 0, units_) + product));
  const auto [f, g, a, b] = chunk<4>(linear(z, weight_zh, bias_zh));
  const Variable from = tanh(f);
  if (!elapsed_) return {from + sigmoid(a + b) * (tanh(g) - from)};
  const Variable dt = slice(px, 1, units_, 1);
  return {from + sigmoid(a * dt + b) * (tanh(g) - from)};
}

}  // namespace hindsight::nn
