// The multiplicative LSTM: values against plain loops, gradients.
#include "nn/cell_support.h"

namespace hindsight::test {
namespace {

TEST_CASE("multiplicative LSTM values") {
  Rng rng(2);
  for (const bool biased : {true, false}) {
    nn::MultiplicativeLstm network({.input = 3, .hidden = 4}, rng,
                                   nn::MultiplicativeLstmOptions{.bias = biased});
    randomize(network);
    const nn::MultiplicativeLstmCell& cell = network.cell(0);
    check_values(network, [&](const Vector& x, std::vector<Vector>* state) {
      Vector &h = (*state)[0], &c = (*state)[1], m;
      for (Size u = 0; u < 4; ++u)
        m.push_back(affine(cell.weight_mx, x, u) * affine(cell.weight_mh, h, u));
      for (Size u = 0; u < 4; ++u) {
        const auto gate = [&](Size block) {
          return affine(cell.weight_ih, x, block * 4 + u, cell.bias_ih) +
                 affine(cell.weight_hh, m, block * 4 + u, cell.bias_hh);
        };
        const auto k = static_cast<std::size_t>(u);
        c[k] = sigma(gate(1)) * c[k] + sigma(gate(0)) * std::tanh(gate(2));
        h[k] = sigma(gate(3)) * std::tanh(c[k]);
      }
      return h;
    });
    check_symbols(network);
  }
}

TEST_CASE("multiplicative LSTM gradients") {
  check_cell<nn::MultiplicativeLstm>("two layers, both directions", kDeep(3, 4), -1);
  check_cell<nn::MultiplicativeLstm>("without bias", {.input = 3, .hidden = 5}, -1,
                                     nn::MultiplicativeLstmOptions{.bias = false});
  check_cell<nn::Recurrent<nn::LayerNormCell<nn::MultiplicativeLstmCell>>>(
      "layer norm", {.input = 3, .hidden = 4}, -1);
  Rng rng(2);
  nn::MultiplicativeLstm dropped({.input = 3, .hidden = 4, .recurrent_dropout = 0.5}, rng);
  CHECK(dropped(Variable(random_tensor({3, 2, 3}, 1, DType::f32))).outputs.shape() ==
        Shape{3, 2, 4});
}

}  // namespace
}  // namespace hindsight::test
