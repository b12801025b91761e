// The convolutional LSTM over rows: values against plain loops, gradients, options.
#include "nn/cell_support.h"

namespace hindsight::test {
namespace {

constexpr Size kLength = 5, kChannels = 2, kFilters = 3;

/// Element `row` of the correlation of a row of positions with weights (4F, K channels), at
/// position l; zeros outside.
double correlation(const Parameter& w, const Vector& row, Size kernel, Size channels, Size l,
                   Size gate) {
  double total = 0;
  for (Size k = 0; k < kernel; ++k) {
    const Size at = l + k - (kernel - 1) / 2;
    if (at < 0 || at >= kLength) continue;
    for (Size c = 0; c < channels; ++c) {
      total += w.value().at((gate * kernel + k) * channels + c) *
               row[static_cast<std::size_t>(at * channels + c)];
    }
  }
  return total;
}

TEST_CASE("ConvLSTM values") {
  Rng rng(2);
  for (const Size kernel : {1, 2, 3, 4, 7}) {
    nn::ConvLstm network({.input = kLength * kChannels, .hidden = kLength * kFilters}, rng,
                         nn::ConvLstmOptions{.length = kLength, .kernel = kernel});
    randomize(network, 0.4);
    const nn::ConvLstmCell& cell = network.cell(0);
    REQUIRE(cell.weight_ih.shape() == Shape{4 * kFilters, kernel * kChannels});
    REQUIRE(cell.weight_hh.shape() == Shape{4 * kFilters, kernel * kFilters});
    check_values(network, [&](const Vector& x, std::vector<Vector>* state) {
      Vector &h = (*state)[0], &c = (*state)[1];
      const Vector before = h;
      for (Size l = 0; l < kLength; ++l) {
        for (Size u = 0; u < kFilters; ++u) {
          const auto gate = [&](Size block) {
            const Size row = block * kFilters + u;
            return correlation(cell.weight_ih, x, kernel, kChannels, l, row) +
                   correlation(cell.weight_hh, before, kernel, kFilters, l, row) +
                   cell.bias_ih.value().at(row) + cell.bias_hh.value().at(row);
          };
          const auto k = static_cast<std::size_t>(l * kFilters + u);
          c[k] = sigma(gate(1)) * c[k] + sigma(gate(0)) * std::tanh(gate(2));
          h[k] = sigma(gate(3)) * std::tanh(c[k]);
        }
      }
      return h;
    });
  }
}

TEST_CASE("ConvLSTM gradients") {
  const nn::RecurrentOptions deep{
      .input = 8, .hidden = 12, .layers = 2, .bidirectional = true, .merge = nn::Merge::mean};
  check_cell<nn::ConvLstm>("two layers, both directions", deep, -1,
                           nn::ConvLstmOptions{.length = 4});
  check_cell<nn::ConvLstm>("even kernel, without bias", {.input = 4, .hidden = 8}, -1,
                           nn::ConvLstmOptions{.length = 4, .kernel = 2, .bias = false});
  check_cell<nn::Recurrent<nn::LayerNormCell<nn::ConvLstmCell>>>(
      "layer norm", {.input = 4, .hidden = 8}, -1, nn::ConvLstmOptions{.length = 4});
}

TEST_CASE("ConvLSTM options") {
  Rng rng(2);
  const nn::ConvLstmCell cell(8, 12, rng, {.length = 4});
  for (const Parameter& p : cell.parameters()) {
    for (Size i = 0; i < p.value().elements(); ++i) CHECK(std::abs(p.value().at(i)) <= 1 / 3.0);
  }
  CHECK(message_of<OptionError>([&] { nn::ConvLstmCell(8, 12, rng, {}); }) ==
        "ConvLstmCell: length 0 does not divide input 8 and hidden 12");
  CHECK(message_of<OptionError>([&] { nn::ConvLstmCell(8, 12, rng, {.length = 8}); }) ==
        "ConvLstmCell: length 8 does not divide input 8 and hidden 12");
  CHECK(message_of<OptionError>([&] {
          nn::ConvLstmCell(8, 12, rng, {.length = 4, .kernel = 0});
        }) == "ConvLstmCell: kernel 0 is below 1");
}

}  // namespace
}  // namespace hindsight::test
