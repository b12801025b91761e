// The recurrent highway network: values against plain loops, gradients, options.
#include "nn/cell_support.h"

namespace hindsight::test {
namespace {

TEST_CASE("RHN values") {
  Rng rng(2);
  nn::Rhn network({.input = 3, .hidden = 4}, rng, nn::RhnOptions{.depth = 3});
  randomize(network);
  const nn::RhnCell& cell = network.cell(0);
  REQUIRE(cell.weight_hh.size() == 3);
  check_values(network, [&](const Vector& x, std::vector<Vector>* state) {
    Vector s = (*state)[0];
    for (std::size_t depth = 0; depth < 3; ++depth) {
      Vector next;
      for (Size u = 0; u < 4; ++u) {
        double h = affine(cell.weight_hh[depth], s, u, cell.bias[depth]);
        double t = affine(cell.weight_hh[depth], s, 4 + u, cell.bias[depth]);
        if (depth == 0) {
          h += affine(cell.weight_ih, x, u);
          t += affine(cell.weight_ih, x, 4 + u);
        }
        const double before = s[static_cast<std::size_t>(u)];
        next.push_back(std::tanh(h) * sigma(t) + before * (1 - sigma(t)));
      }
      s = next;
    }
    return (*state)[0] = s;
  });
  check_symbols(network);
}

TEST_CASE("RHN gradients") {
  check_cell<nn::Rhn>("depth 1", {.input = 3, .hidden = 5}, -1, nn::RhnOptions{.depth = 1});
  check_cell<nn::Rhn>("depth 3, two layers, both directions", kDeep(3, 4), -1,
                      nn::RhnOptions{.depth = 3});
}

TEST_CASE("RHN parameters and options") {
  Rng rng(2);
  const nn::Rhn network({.input = 3, .hidden = 4, .layers = 2}, rng,
                        nn::RhnOptions{.depth = 2, .transform_bias = -4});
  std::vector<std::string> names;
  for (const auto& [name, parameter] : network.named_parameters()) names.push_back(name);
  CHECK(names == std::vector<std::string>{"weight_ih_l0", "weight_hh_d0_l0", "bias_d0_l0",
                                          "weight_hh_d1_l0", "bias_d1_l0", "weight_ih_l1",
                                          "weight_hh_d0_l1", "bias_d0_l1", "weight_hh_d1_l1",
                                          "bias_d1_l1"});
  const Tensor bias = network.cell(1).bias[1].value();
  for (Size u = 0; u < 4; ++u) {
    CHECK(std::abs(bias.at(u)) <= 0.04);
    CHECK(bias.at(4 + u) == -4);
  }
  CHECK(message_of<OptionError>([&] { nn::RhnCell(3, 4, rng, {.depth = 0}); }) ==
        "RhnCell: depth 0 is below 1");
  CHECK(message_of<OptionError>([&] { nn::RhnCell(3, 4, rng, {.transform_bias = INFINITY}); }) ==
        "RhnCell: transform_bias inf is not finite");
}

TEST_CASE("recurrent dropout and normalization reach the first layer of an RHN") {
  Rng rng(2);
  nn::Rhn dropped({.input = 3, .hidden = 4, .recurrent_dropout = 0.5}, rng);
  CHECK(dropped(Variable(random_tensor({3, 2, 3}, 1, DType::f32))).outputs.shape() ==
        Shape{3, 2, 4});
  check_cell<nn::Recurrent<nn::LayerNormCell<nn::RhnCell>>>("layer norm", {.input = 3, .hidden = 4},
                                                            -1, nn::RhnOptions{.depth = 2});
}

}  // namespace
}  // namespace hindsight::test
