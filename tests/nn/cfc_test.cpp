// The closed-form continuous-time network: values against plain loops, gradients, options.
#include "nn/cell_support.h"

namespace hindsight::test {
namespace {

TEST_CASE("CfC values") {
  Rng rng(2);
  for (const bool elapsed : {false, true}) {
    nn::Cfc network({.input = 3, .hidden = 4}, rng, nn::CfcOptions{.units = 5, .elapsed = elapsed});
    randomize(network);
    const nn::CfcCell& cell = network.cell(0);
    check_values(network, [&](const Vector& given, std::vector<Vector>* state) {
      Vector &h = (*state)[0], x = given, z;
      const double dt = elapsed ? x.back() : 1;
      if (elapsed) x.pop_back();
      for (Size u = 0; u < 5; ++u) {
        const double total =
            affine(cell.weight_ih, x, u, cell.bias_ih) + affine(cell.weight_hh, h, u);
        z.push_back(1.7159 * std::tanh(0.666 * total));
      }
      for (Size u = 0; u < 4; ++u) {
        const auto head = [&](Size block) {
          return affine(cell.weight_zh, z, block * 4 + u, cell.bias_zh);
        };
        const double tau = sigma(head(2) * dt + head(3));
        h[static_cast<std::size_t>(u)] = std::tanh(head(0)) * (1 - tau) + tau * std::tanh(head(1));
      }
      return h;
    });
  }
}

TEST_CASE("CfC gradients") {
  check_cell<nn::Cfc>("two layers, both directions", kDeep(3, 4), -1, nn::CfcOptions{.units = 6});
  check_cell<nn::Cfc>("elapsed times, both directions",
                      {.input = 3, .hidden = 4, .bidirectional = true}, -1,
                      nn::CfcOptions{.units = 6, .elapsed = true});
}

TEST_CASE("CfC options") {
  Rng rng(2);
  CHECK(nn::CfcCell(3, 4, rng).weight_hh.shape() == Shape{128, 4});
  CHECK(nn::CfcCell(3, 4, rng, {.units = 7, .elapsed = true}).weight_ih.shape() == Shape{7, 2});
  CHECK(message_of<OptionError>([&] { nn::CfcCell(3, 4, rng, {.units = 0}); }) ==
        "CfcCell: units 0 is below 1");
  CHECK(message_of<OptionError>([&] { nn::CfcCell(1, 4, rng, {.elapsed = true}); }) ==
        "CfcCell: elapsed with input 1; a column besides the elapsed time is needed");
}

}  // namespace
}  // namespace hindsight::test
