// Variants of the LSTM: values against plain loops, gradients, initial values and bad options.
#include <hindsight/nn/lstm.h>

#include "nn/cell_checks.h"

namespace hindsight::test {
namespace {

using nn::Lstm;
using nn::LstmOptions;

struct Variant {
  const char* name;
  LstmOptions options;
};

const std::vector<Variant> kVariants = {
    {"default", {}},
    {"without bias", {.bias = false}},
    {"forget bias", {.forget_bias = 1.0}},
    {"without forget gate", {.forget_gate = false}},
    {"coupled", {.coupled = true}},
    {"peephole", {.peephole = true}},
    {"peephole, without forget gate", {.forget_gate = false, .peephole = true}},
    {"peephole, coupled, projection", {.projection = 2, .coupled = true, .peephole = true}},
    {"peephole, projection", {.projection = 2, .peephole = true}},
    {"layer norm", {.layer_norm = true}},
    {"layer norm without bias", {.bias = false, .layer_norm = true}},
    {"layer norm, projection, forget bias",
     {.projection = 4, .layer_norm = true, .forget_bias = 0.5}},
    {"layer norm, without forget gate", {.forget_gate = false, .layer_norm = true}},
    {"layer norm, coupled, peephole, projection",
     {.projection = 2, .coupled = true, .peephole = true, .layer_norm = true}},
};

/// (x - mean) / sqrt(variance + 1e-5) * weight + bias; x itself if the weight is absent.
Vector normalized(const Vector& x, const Parameter& weight, const Parameter& bias) {
  if (!weight) return x;
  const auto n = static_cast<double>(x.size());
  double mean = 0, variance = 0;
  for (double value : x) mean += value / n;
  for (double value : x) variance += (value - mean) * (value - mean) / n;
  Vector y;
  for (double value : x) {
    const auto i = static_cast<Size>(y.size());
    y.push_back((value - mean) / std::sqrt(variance + 1e-5) * weight.value().at(i) +
                bias.value().at(i));
  }
  return y;
}

/// One step as in the equations of the options' papers. state: h, c.
void plain_step(const nn::LstmCell& cell, const LstmOptions& options, const Vector& x,
                std::vector<Vector>* state) {
  Vector &h = (*state)[0], &c = (*state)[1];
  Vector z = normalized(product(cell.weight_ih, x), cell.norm_ih_weight, cell.norm_ih_bias);
  const Vector u = normalized(product(cell.weight_hh, h), cell.norm_hh_weight, cell.norm_hh_bias);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] += u[i];
  add(cell.bias_ih, &z);
  add(cell.bias_hh, &z);
  const std::size_t n = c.size();
  const bool four = options.forget_gate && !options.coupled;
  REQUIRE(z.size() == (four ? 4 : 3) * n);
  const auto peephole = [&](std::size_t gate, std::size_t unit) {
    return options.peephole ? cell.weight_peephole.value().at(static_cast<Size>(gate * n + unit))
                            : 0.0;
  };
  Vector output(n);
  for (std::size_t k = 0; k < n; ++k) {
    const double i = sigma(z[k] + peephole(0, k) * c[k]);
    double f = 1;
    if (four) f = sigma(z[n + k] + peephole(1, k) * c[k]);
    if (options.coupled) f = 1 - i;
    c[k] = f * c[k] + i * std::tanh(z[(four ? 2 : 1) * n + k]);
    output[k] = sigma(z[(four ? 3 : 2) * n + k] + peephole(four ? 2 : 1, k) * c[k]);
  }
  const Vector read = normalized(c, cell.norm_c_weight, cell.norm_c_bias);
  for (std::size_t k = 0; k < n; ++k) output[k] *= std::tanh(read[k]);
  h = options.projection ? product(cell.weight_hr, output) : output;
}

/// Gains and shifts of layer norms other than 1 and 0, so that a check sees them.
void randomize_norms(const Lstm& lstm) {
  std::uint64_t seed = 60;
  for (const auto& [name, value] : lstm.named_parameters()) {
    Parameter parameter = value;
    if (name.find("norm") != std::string::npos)
      parameter.assign(random_tensor(parameter.shape(), seed++, DType::f64, 0.5, 1.5));
  }
}

TEST_CASE("values of LSTM variants") {
  for (const Variant& variant : kVariants) {
    INFO(std::string(variant.name));
    Rng rng(3);
    Lstm lstm({.input = 4, .hidden = 5}, rng, variant.options);
    randomize_norms(lstm);
    const Size output = variant.options.projection ? variant.options.projection : 5;
    check_values(lstm, random_state({output, 5}), [&](const Vector& x, std::vector<Vector>* state) {
      plain_step(lstm.cell(0), variant.options, x, state);
    });
  }
}

TEST_CASE("gradients of LSTM variants") {
  for (const Variant& variant : kVariants)
    check_cell_gradients<Lstm>(variant.name, 5, variant.options);
}

TEST_CASE("a layer-normalized LSTM reads symbols as it reads one-hot vectors") {
  Rng rng(3);
  Lstm lstm({.input = 6, .hidden = 4}, rng, LstmOptions{.layer_norm = true});
  randomize_norms(lstm);
  lstm.to(DType::f64);
  for (const Size batch : {1, 3}) {  // fewer symbols than rows of the table, and more
    const Indices symbols(std::vector<int>(static_cast<std::size_t>(4 * batch), 5), {4, batch});
    const Tensor vectors = Tensor::zeros({4, batch, 6}, DType::f64);
    for (Size i = 0; i < 4 * batch; ++i) vectors.set(i * 6 + 5, 1);
    CHECK(relative_difference(lstm(symbols).outputs.value(),
                              lstm(Variable(vectors)).outputs.value()) < 1e-14);
  }
  const Indices symbols(std::vector<int>{0, 5, 3, 3, 1, 0, 2, 2, 5, 4, 3, 0}, {4, 3});
  check_both_orders([&](In) { return everything(lstm(symbols)); }, {}, lstm.parameters(), 7);
}

TEST_CASE("wrappers of LSTM variants") {
  const LstmOptions options{.projection = 2, .coupled = true, .peephole = true, .layer_norm = true};
  Rng rng(5);
  nn::Recurrent<nn::LayerNormCell<nn::LstmCell>> network({.input = 3, .hidden = 4}, rng, options);
  network.to(DType::f64);
  check_both_orders([&](In x) { return everything(network(x[0])); }, {random_tensor({3, 2, 3}, 1)},
                    network.parameters(), 7);
  nn::Recurrent<nn::ZoneoutCell<nn::LstmCell>> zoneout({.input = 3, .hidden = 4}, rng, 0.2,
                                                       options);
  CHECK(zoneout(Variable(random_tensor({3, 2, 3}, 1, DType::f32))).outputs.shape() ==
        Shape{3, 2, 2});
}

TEST_CASE("initial values of an LSTM") {
  Rng rng(2), same(2);
  const Lstm plain({.input = 2, .hidden = 3}, rng),
      biased({.input = 2, .hidden = 3}, same, LstmOptions{.forget_bias = 2.0});
  for (Size i = 0; i < 12; ++i) {
    const bool forget = i / 3 == 1;
    CHECK(biased.cell(0).bias_ih.value().at(i) ==
          (forget ? 2.0 : plain.cell(0).bias_ih.value().at(i)));
    CHECK(biased.cell(0).bias_hh.value().at(i) ==
          (forget ? 0.0 : plain.cell(0).bias_hh.value().at(i)));
  }
  const Lstm variant({.input = 2, .hidden = 4}, rng,
                     LstmOptions{.coupled = true, .peephole = true, .layer_norm = true});
  const nn::LstmCell& cell = variant.cell(0);
  CHECK(cell.weight_ih.shape() == Shape{12, 2});
  CHECK(cell.weight_peephole.shape() == Shape{8});
  CHECK(cell.norm_ih_weight.shape() == Shape{12});
  for (Size i = 0; i < 4; ++i) {
    CHECK(std::abs(cell.weight_peephole.value().at(i)) <= 0.5);
    CHECK(cell.norm_c_weight.value().at(i) == 1);
    CHECK(cell.norm_hh_bias.value().at(i) == 0);
  }
}

TEST_CASE("bad options of an LSTM") {
  const auto message = [](const LstmOptions& options) {
    return message_of<OptionError>([&] {
      Rng rng(1);
      Lstm({.input = 2, .hidden = 3}, rng, options);
    });
  };
  CHECK(message({.forget_gate = false, .coupled = true}) ==
        "LstmCell: coupled needs forget_gate, which is false");
  const std::string needed = "LstmCell: forget_bias 1 needs biases and a forget gate of its own";
  CHECK(message({.bias = false, .forget_bias = 1.0}) == needed);
  CHECK(message({.forget_gate = false, .forget_bias = 1.0}) == needed);
  CHECK(message({.coupled = true, .forget_bias = 1.0}) == needed);
  CHECK(message({.forget_bias = INFINITY}) ==
        "LstmCell: forget_bias inf; a finite number is needed");
}

}  // namespace
}  // namespace hindsight::test
