// Gated recurrent units and minimal gated units: values against plain loops, and gradients.
#include <hindsight/nn/gru.h>
#include <hindsight/nn/mgu.h>

#include "nn/cell_checks.h"

namespace hindsight::test {
namespace {

using nn::Gru;
using nn::GruOptions;
using nn::Mgu;
using nn::MguOptions;

/// One step of a GRU as in the equations. state: h.
void plain_gru(const nn::GruCell& cell, bool reset_after, const Vector& x,
               std::vector<Vector>* state) {
  Vector& h = state->front();
  const std::size_t n = h.size();
  const auto width = static_cast<Size>(n);
  Vector px = product(cell.weight_ih, x), u = product(cell.weight_hh, h), reset(n), z(n);
  add(cell.bias_ih, &px);
  add(cell.bias_hh, &u);
  for (std::size_t k = 0; k < n; ++k) {
    const double r = sigma(px[k] + u[k]);
    z[k] = sigma(px[n + k] + u[n + k]);
    reset[k] = reset_after ? r * u[2 * n + k] : r * h[k];
  }
  if (!reset_after) {
    reset = product(cell.weight_hh, reset, 2 * width, width);
    for (std::size_t k = 0; cell.bias_hh && k < n; ++k)
      reset[k] += cell.bias_hh.value().at(static_cast<Size>(2 * n + k));
  }
  for (std::size_t k = 0; k < n; ++k)
    h[k] = (1 - z[k]) * std::tanh(px[2 * n + k] + reset[k]) + z[k] * h[k];
}

void plain_mgu(const nn::MguCell& cell, const Vector& x, std::vector<Vector>* state) {
  Vector& h = state->front();
  const std::size_t n = h.size();
  const auto width = static_cast<Size>(n);
  Vector px = product(cell.weight_ih, x), f = product(cell.weight_hh, h, 0, width), forgotten(n);
  add(cell.bias_ih, &px);
  add(cell.bias_hh, &px);
  for (std::size_t k = 0; k < n; ++k) {
    f[k] = sigma(px[k] + f[k]);
    forgotten[k] = f[k] * h[k];
  }
  const Vector u = product(cell.weight_hh, forgotten, width, width);
  for (std::size_t k = 0; k < n; ++k) h[k] = (1 - f[k]) * h[k] + f[k] * std::tanh(px[n + k] + u[k]);
}

const std::vector<GruOptions> kGrus = {
    {}, {.bias = false}, {.reset_after = false}, {.bias = false, .reset_after = false}};

TEST_CASE("values of gated recurrent units") {
  for (const GruOptions& options : kGrus) {
    INFO("bias ", options.bias, ", reset_after ", options.reset_after);
    Rng rng(3);
    Gru gru({.input = 4, .hidden = 5}, rng, options);
    check_values(gru, random_state({5}), [&](const Vector& x, std::vector<Vector>* state) {
      plain_gru(gru.cell(0), options.reset_after, x, state);
    });
  }
}

TEST_CASE("gradients of gated recurrent units") {
  check_cell_gradients<Gru>("reset after", 5);
  check_cell_gradients<Gru>("reset after, without bias", 5, GruOptions{.bias = false});
  check_cell_gradients<Gru>("reset before", 5, GruOptions{.reset_after = false});
  check_cell_gradients<Gru>("reset before, without bias", 5,
                            GruOptions{.bias = false, .reset_after = false});
}

TEST_CASE("values of minimal gated units") {
  for (const bool bias : {true, false}) {
    Rng rng(3);
    Mgu mgu({.input = 4, .hidden = 5}, rng, MguOptions{.bias = bias});
    check_values(mgu, random_state({5}), [&](const Vector& x, std::vector<Vector>* state) {
      plain_mgu(mgu.cell(0), x, state);
    });
  }
}

TEST_CASE("gradients of minimal gated units") {
  check_cell_gradients<Mgu>("mgu", 5);
  check_cell_gradients<Mgu>("mgu without bias", 5, MguOptions{.bias = false});
}

TEST_CASE("gated units read symbols as they read one-hot vectors") {
  const Indices symbols(std::vector<int>{0, 2, 1, 1, 2, 0, 0, 1}, {4, 2});
  const Tensor vectors = Tensor::zeros({4, 2, 3}, DType::f64);
  for (Size i = 0; i < 8; ++i) vectors.set(i * 3 + symbols[i], 1);
  const auto check = [&](nn::Unroller& network) {
    network.to(DType::f64);
    CHECK(relative_difference(network(symbols).outputs.value(),
                              network(Variable(vectors)).outputs.value()) < 1e-14);
  };
  Rng rng(3);
  for (const GruOptions& options : kGrus) {
    Gru gru({.input = 3, .hidden = 4}, rng, options);
    check(gru);
  }
  Mgu mgu({.input = 3, .hidden = 4}, rng);
  check(mgu);
}

TEST_CASE("gated units carry over the state that recurrent dropout does not touch") {
  // With weights 0, a GRU's state is halved at each step and an MGU's too, whatever the mask.
  const auto check = [](nn::Unroller& network) {
    for (Parameter p : network.parameters()) p.assign(Tensor::zeros(p.shape()));
    const Variable h(Tensor::full({2, 4}, 1));
    const nn::Unrolled run =
        network(Variable(Tensor::zeros({3, 2, 3})), nn::UnrollOptions{.initial = {{h}}});
    for (Size i = 0; i < 8; ++i) CHECK(run.final[0][0].value().at(i) == 0.125);
  };
  Rng rng(3);
  const nn::RecurrentOptions sizes{.input = 3, .hidden = 4, .recurrent_dropout = 0.5};
  Gru after(sizes, rng), before(sizes, rng, GruOptions{.reset_after = false});
  Mgu mgu(sizes, rng);
  check(after);
  check(before);
  check(mgu);
}

}  // namespace
}  // namespace hindsight::test
