// sLSTM and mLSTM: values against plain loops that are not stabilized, gradients, large
// pre-activations, options.
#include "nn/cell_support.h"

namespace hindsight::test {
namespace {

/// Tests give initial normalisers above 0, as steps do.
constexpr double kLow = 0.2;

TEST_CASE("sLSTM values") {
  Rng rng(2);
  constexpr Size kHidden = 6;
  for (const Size heads : {1, 2, 6}) {
    nn::Slstm network({.input = 3, .hidden = kHidden}, rng, nn::SlstmOptions{.heads = heads});
    randomize(network);
    const nn::SlstmCell& cell = network.cell(0);
    const Size width = kHidden / heads;
    REQUIRE(cell.weight_hh.shape() == Shape{4 * kHidden, width});
    const PlainStep step = [&](const Vector& x, std::vector<Vector>* state) {
      Vector &h = (*state)[0], &c = (*state)[1], &n = (*state)[2], &m = (*state)[3];
      const Vector before = h;
      for (Size u = 0; u < kHidden; ++u) {
        const auto head = before.begin() + u / width * width;
        const Vector own(head, head + width);
        const auto gate = [&](Size block) {
          const Size row = block * kHidden + u;
          return affine(cell.weight_ih, x, row, cell.bias_ih) +
                 affine(cell.weight_hh, own, row, cell.bias_hh);
        };
        const auto k = static_cast<std::size_t>(u);
        // The cell and the normaliser themselves, of which the state has the exp(-m)-th part.
        const double forget = sigma(gate(1)), input = std::exp(gate(0));
        const double cell_state = forget * c[k] * std::exp(m[k]) + input * std::tanh(gate(2));
        const double normalizer = forget * n[k] * std::exp(m[k]) + input;
        m[k] = n[k] == 0 ? gate(0) : std::max(std::log(forget) + m[k], gate(0));
        c[k] = cell_state * std::exp(-m[k]);
        n[k] = normalizer * std::exp(-m[k]);
        h[k] = sigma(gate(3)) * cell_state / normalizer;
      }
      return h;
    };
    check_values(network, step, kLow);
    check_symbols(network);
    // From zeros, where the first m is the input gate's.
    const Tensor x = random_tensor({2, 1, 3}, 8);
    const nn::Unrolled run = network(Variable(x));
    std::vector<Vector> state(4, Vector(kHidden, 0));
    for (Size t = 0; t < 2; ++t) step(row_of(x, t), &state);
    for (int k = 0; k < 4; ++k)
      CHECK(relative_difference(run.final[0][k].value(),
                                Tensor::from(state[static_cast<std::size_t>(k)], {1, kHidden},
                                             DType::f64)) < 1e-13);
  }
}

TEST_CASE("sLSTM gradients") {
  check_cell<nn::Slstm>("two layers, both directions", kDeep(3, 4), kLow);
  check_cell<nn::Slstm>("two heads, two layers, both directions", kDeep(3, 4), kLow,
                        nn::SlstmOptions{.heads = 2});
  check_cell<nn::Recurrent<nn::LayerNormCell<nn::SlstmCell>>>("layer norm",
                                                              {.input = 3, .hidden = 4}, kLow);
}

TEST_CASE("sLSTM gradients at zero states") {
  Rng rng(2);
  nn::Slstm network({.input = 3, .hidden = 4}, rng, nn::SlstmOptions{.heads = 2});
  randomize(network);
  std::vector<Tensor> inputs{random_tensor({3, 2, 3}, 1)};
  for (int part = 0; part < 4; ++part) inputs.push_back(Tensor::zeros({2, 4}, DType::f64));
  // The outputs alone: m, and with it c and n, jump where n becomes 0.
  check_both_orders(
      [&](In x) { return network(x[0], {.initial = states_of(network, x, 1)}).outputs; }, inputs,
      network.parameters());
}

TEST_CASE("xLSTM: no exponential overflows or loses the first step") {
  Rng rng(2);
  const auto check = [&](nn::Unroller& network, Parameter bias, Size input_gates, Size count) {
    const Tensor x = random_tensor({3, 2, 3}, 1, DType::f32);
    for (const double preactivation : {-500.0, -100.0, 100.0, 500.0}) {
      for (Size k = 0; k < count; ++k) bias.value().set(input_gates + k, preactivation);
      bias.changed();
      Tape tape;
      const Variable given = tape.watch(x);
      const nn::Unrolled run = network(given, {.initial = network.initial_states(2)});
      CHECK(all_finite(run.outputs.value()));
      std::vector<Variable> wanted{given};
      for (const Parameter& p : network.parameters()) wanted.emplace_back(p);
      for (const Variable& g : tape.gradient({sum(run.outputs)}, wanted))
        CHECK(all_finite(g.value()));
    }
  };
  nn::Slstm slstm({.input = 3, .hidden = 4}, rng);
  check(slstm, slstm.cell(0).bias_ih, 0, 4);
  // A first step gives tanh(z) sigmoid(o) whatever the input gate.
  const Tensor x = random_tensor({1, 2, 3}, 1, DType::f32);
  Parameter bias = slstm.cell(0).bias_ih;
  const Tensor open = slstm(Variable(x)).outputs.value();
  for (Size k = 0; k < 4; ++k) bias.value().set(k, -500);
  bias.changed();
  CHECK(relative_difference(slstm(Variable(x)).outputs.value(), open) < 1e-6);
  nn::Mlstm mlstm({.input = 3, .hidden = 4}, rng, nn::MlstmOptions{.heads = 2});
  check(mlstm, mlstm.cell(0).bias_ih, 16, 2);
  // Gates that have closed for long.
  Parameter gates = mlstm.cell(0).bias_ih;
  for (Size k = 18; k < 20; ++k) gates.value().set(k, -200);
  check(mlstm, gates, 16, 2);
}

TEST_CASE("sLSTM parameters and options") {
  Rng rng(2);
  const nn::SlstmCell cell(3, 6, rng, {.heads = 2, .position = 0.5});
  const Tensor bias = cell.bias_ih.value();
  for (Size u = 0; u < 6; ++u) {
    CHECK(bias.at(u) == 0);
    CHECK(bias.at(6 + u) ==
          doctest::Approx(5 - 12 * std::pow(static_cast<double>(u % 3) / 2, 0.95)));
  }
  CHECK(same_bits(cell.weight_hh.value(), Tensor::zeros({24, 3})));
  CHECK(message_of<OptionError>([&] { nn::SlstmCell(3, 6, rng, {.heads = 4}); }) ==
        "SlstmCell: 4 heads do not divide a hidden size of 6");
  CHECK(message_of<OptionError>([&] { nn::SlstmCell(3, 6, rng, {.heads = 0}); }) ==
        "SlstmCell: 0 heads do not divide a hidden size of 6");
  CHECK(message_of<OptionError>([&] { nn::SlstmCell(3, 6, rng, {.position = 1.5}); }) ==
        "SlstmCell: position 1.5 is outside of [0, 1]");
}

TEST_CASE("mLSTM values") {
  Rng rng(2);
  constexpr Size kHidden = 6;
  for (const Size heads : {1, 2, 3}) {
    // A larger bound, so that normalisers of both kinds occur.
    nn::Mlstm network({.input = 3, .hidden = kHidden}, rng, nn::MlstmOptions{.heads = heads});
    randomize(network, 1.5);
    const nn::MlstmCell& cell = network.cell(0);
    const Size d = kHidden / heads;
    int clipped = 0, unclipped = 0;
    check_values(network, [&](const Vector& x, std::vector<Vector>* state) {
      Vector &C = (*state)[0], &n = (*state)[1], &m = (*state)[2], y(kHidden);
      const auto value = [&](Size row) { return affine(cell.weight_ih, x, row, cell.bias_ih); };
      for (Size head = 0; head < heads; ++head) {
        const Size first = head * d;
        const double input = std::exp(value(4 * kHidden + head)),
                     forget = sigma(value(4 * kHidden + heads + head));
        double& scale = m[static_cast<std::size_t>(head)];
        const double before = std::exp(scale);
        scale = std::max(std::log(forget) + scale, std::log(input));
        double nq = 0;
        Vector read(static_cast<std::size_t>(d), 0);
        for (Size a = 0; a < d; ++a) {
          const double q = value(first + a), k = value(kHidden + first + a) / std::sqrt(d);
          double& normalizer = n[static_cast<std::size_t>(first + a)];
          const double sum = forget * normalizer * before + input * k;
          nq += sum * q;
          normalizer = sum * std::exp(-scale);
          for (Size b = 0; b < d; ++b) {
            double& memory = C[static_cast<std::size_t>((first + a) * d + b)];
            const double stored =
                forget * memory * before + input * k * value(2 * kHidden + first + b);
            read[static_cast<std::size_t>(b)] += stored * q;
            memory = stored * std::exp(-scale);
          }
        }
        (std::abs(nq) > 1 ? unclipped : clipped)++;
        for (Size b = 0; b < d; ++b) {
          y[static_cast<std::size_t>(first + b)] = sigma(value(3 * kHidden + first + b)) *
                                                   read[static_cast<std::size_t>(b)] /
                                                   std::max(std::abs(nq), 1.0);
        }
      }
      return y;
    });
    CHECK(clipped > 0);
    CHECK(unclipped > 0);
    check_symbols(network);
  }
}

TEST_CASE("mLSTM gradients") {
  check_cell<nn::Mlstm>("two layers, both directions", kDeep(3, 4), -1);
  check_cell<nn::Mlstm>("two heads, two layers, both directions", kDeep(3, 4), -1,
                        nn::MlstmOptions{.heads = 2});
  Rng rng(2);
  nn::Mlstm network({.input = 3, .hidden = 4}, rng, nn::MlstmOptions{.heads = 2});
  randomize(network, 1.5);
  check_both_orders([&](In x) { return everything(network(x[0])); }, {random_tensor({4, 2, 3}, 1)},
                    network.parameters());
}

TEST_CASE("mLSTM parameters and options") {
  Rng rng(2);
  const nn::MlstmCell cell(3, 6, rng, {.heads = 3});
  REQUIRE(cell.weight_ih.shape() == Shape{30, 3});
  for (Size i = 24 * 3; i < 30 * 3; ++i) CHECK(cell.weight_ih.value().at(i) == 0);
  for (Size head = 0; head < 3; ++head)
    CHECK(cell.bias_ih.value().at(27 + head) == 3 + 1.5 * static_cast<double>(head));
  CHECK(message_of<OptionError>([&] { nn::MlstmCell(3, 6, rng, {.heads = 4}); }) ==
        "MlstmCell: 4 heads do not divide a hidden size of 6");
}

}  // namespace
}  // namespace hindsight::test
