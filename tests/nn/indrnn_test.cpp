// The independently recurrent network: values against plain loops, gradients, clamping.
#include "nn/cell_support.h"

namespace hindsight::test {
namespace {

TEST_CASE("IndRNN values") {
  Rng rng(2);
  for (const nn::Nonlinearity kind : {nn::Nonlinearity::relu, nn::Nonlinearity::tanh}) {
    nn::IndRnn network({.input = 3, .hidden = 4}, rng, nn::IndRnnOptions{.nonlinearity = kind});
    randomize(network);
    const nn::IndRnnCell& cell = network.cell(0);
    check_values(network, [&](const Vector& x, std::vector<Vector>* state) {
      Vector& h = (*state)[0];
      for (Size u = 0; u < 4; ++u) {
        double& unit = h[static_cast<std::size_t>(u)];
        const double total =
            affine(cell.weight_ih, x, u, cell.bias) + cell.weight_hh.value().at(u) * unit;
        unit = kind == nn::Nonlinearity::relu ? std::max(0.0, total) : std::tanh(total);
      }
      return h;
    });
    check_symbols(network);
  }
}

TEST_CASE("IndRNN gradients") {
  check_cell<nn::IndRnn>("relu, two layers, both directions", kDeep(3, 5), -1);
  check_cell<nn::IndRnn>("tanh, two layers, both directions", kDeep(3, 5), -1,
                         nn::IndRnnOptions{.nonlinearity = nn::Nonlinearity::tanh});
}

TEST_CASE("IndRNN: the recurrent weights are clamped to 2^(1/T)") {
  Rng rng(2);
  nn::IndRnn network({.input = 3, .hidden = 4}, rng);
  const nn::IndRnnCell& cell = network.cell(0);
  CHECK(same_bits(cell.weight_hh.value(), Tensor::full({4}, 1)));
  Parameter u = cell.weight_hh;
  u.assign(Tensor::from({-3, -1, 1.05, 2}, {4}));
  const std::uint64_t version = u.data()->version;
  cell.clamp(10);
  const double bound = static_cast<float>(std::pow(2, 0.1));
  CHECK(u.value().to_vector() == std::vector<double>{-bound, -1, static_cast<float>(1.05), bound});
  CHECK(u.data()->version > version);
  cell.clamp(1);
  CHECK(u.value().at(0) == -bound);
  CHECK(message_of<OptionError>([&] { cell.clamp(0); }) ==
        "IndRnnCell: clamp to 0 time steps; at least 1 is needed");
}

}  // namespace
}  // namespace hindsight::test
