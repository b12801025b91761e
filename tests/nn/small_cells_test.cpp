// Simple recurrent networks, leaky integrators and clockwork networks: values against plain loops,
// gradients, initial values, bad options.
#include <hindsight/nn/clockwork.h>
#include <hindsight/nn/leaky.h>
#include <hindsight/nn/rnn.h>

#include "nn/cell_checks.h"

namespace hindsight::test {
namespace {

using nn::Clockwork;
using nn::ClockworkOptions;
using nn::Leaky;
using nn::LeakyOptions;
using nn::Nonlinearity;
using nn::Rnn;
using nn::RnnOptions;

const std::vector<Nonlinearity> kNonlinearities = {Nonlinearity::tanh, Nonlinearity::relu,
                                                   Nonlinearity::sigmoid, Nonlinearity::identity};

double apply(Nonlinearity f, double x) {
  switch (f) {
    case Nonlinearity::relu:
      return std::max(0.0, x);
    case Nonlinearity::sigmoid:
      return sigma(x);
    case Nonlinearity::identity:
      return x;
    default:
      return std::tanh(x);
  }
}

/// x W_ih^T + b_ih + b_hh + h W_hh^T
Vector preactivation(const nn::GatedCell& cell, const Vector& x, const Vector& h) {
  Vector z = product(cell.weight_ih, x);
  const Vector u = product(cell.weight_hh, h);
  for (std::size_t k = 0; k < z.size(); ++k) z[k] += u[k];
  add(cell.bias_ih, &z);
  add(cell.bias_hh, &z);
  return z;
}

TEST_CASE("nonlinearities of simple and leaky networks") {
  for (const Nonlinearity f : kNonlinearities) {
    INFO("nonlinearity ", static_cast<int>(f));
    Rng rng(3);
    Rnn rnn({.input = 4, .hidden = 5}, rng, RnnOptions{.nonlinearity = f});
    check_values(rnn, random_state({5}), [&](const Vector& x, std::vector<Vector>* state) {
      state->front() = preactivation(rnn.cell(0), x, state->front());
      for (double& h : state->front()) h = apply(f, h);
    });
    for (const bool learned : {false, true}) {
      Leaky leaky({.input = 4, .hidden = 5}, rng,
                  LeakyOptions{.leak = 0.3, .learned_leak = learned, .nonlinearity = f});
      if (learned) leaky.parameters().back().assign(random_tensor({5}, 8));
      check_values(leaky, random_state({5}), [&](const Vector& x, std::vector<Vector>* state) {
        Vector& h = state->front();
        const Vector z = preactivation(leaky.cell(0), x, h);
        for (std::size_t k = 0; k < h.size(); ++k) {
          const double a =
              learned ? sigma(leaky.cell(0).leak_logit.value().at(static_cast<Size>(k))) : 0.3;
          h[k] = (1 - a) * h[k] + a * apply(f, z[k]);
        }
      });
    }
  }
}

TEST_CASE("gradients of simple and leaky networks") {
  for (const Nonlinearity f : kNonlinearities) {
    check_cell_gradients<Rnn>("rnn", 5, RnnOptions{.nonlinearity = f});
    check_cell_gradients<Leaky>("leaky", 5, LeakyOptions{.leak = 0.3, .nonlinearity = f});
    check_cell_gradients<Leaky>("leaky, learned", 5,
                                LeakyOptions{.learned_leak = true, .nonlinearity = f});
  }
  check_cell_gradients<Leaky>("leaky without bias", 5, LeakyOptions{.bias = false});
}

TEST_CASE("initial values of simple and leaky networks") {
  Rng rng(2);
  Rnn irnn({.input = 30, .hidden = 4}, rng,
           RnnOptions{.nonlinearity = Nonlinearity::relu, .identity_init = 0.5});
  const nn::RnnCell& cell = irnn.cell(0);
  for (Size i = 0; i < 16; ++i) CHECK(cell.weight_hh.value().at(i) == (i % 5 == 0 ? 0.5 : 0));
  for (Size i = 0; i < 4; ++i) {
    CHECK(cell.bias_ih.value().at(i) == 0);
    CHECK(cell.bias_hh.value().at(i) == 0);
  }
  double squares = 0;
  for (Size i = 0; i < 120; ++i) squares += std::pow(cell.weight_ih.value().at(i), 2) / 120;
  CHECK(std::sqrt(squares) == doctest::Approx(0.001).epsilon(0.3));
  CHECK_FALSE(Rnn({.input = 2, .hidden = 3}, rng, RnnOptions{.bias = false, .identity_init = 1})
                  .cell(0)
                  .bias_ih);
  const Leaky leaky({.input = 2, .hidden = 3}, rng,
                    LeakyOptions{.leak = 0.2, .learned_leak = true});
  CHECK(leaky.cell(0).leak_logit.value().at(2) == doctest::Approx(std::log(0.25)));
  CHECK_FALSE(Leaky({.input = 2, .hidden = 3}, rng).cell(0).leak_logit);
}

TEST_CASE("a leak of 1 makes a simple recurrent network") {
  Rng rng(4), same(4);
  Rnn rnn({.input = 3, .hidden = 4}, rng);
  Leaky leaky({.input = 3, .hidden = 4}, same, LeakyOptions{.leak = 1});
  const Variable x(random_tensor({5, 2, 3}, 1, DType::f32));
  CHECK(relative_difference(leaky(x).outputs.value(), rnn(x).outputs.value()) < 1e-6);
}

// ---- Clockwork ----------------------------------------------------------------------------------

/// One step as in the equations, with the whole matrix and its zeros. state: h, t.
void plain_clockwork(const nn::ClockworkCell& cell, const std::vector<Size>& periods, Size cycle,
                     const Vector& x, std::vector<Vector>* state) {
  Vector& h = (*state)[0];
  double& t = (*state)[1][0];
  const Vector z = preactivation(cell, x, h);
  const std::size_t width = h.size() / periods.size();
  for (std::size_t k = 0; k < h.size(); ++k) {
    if (static_cast<Size>(t) % periods[k / width] == 0) h[k] = std::tanh(z[k]);
  }
  t = static_cast<double>((static_cast<Size>(t) + 1) % cycle);
}

TEST_CASE("values of clockwork networks") {
  const auto check = [](Size hidden, const ClockworkOptions& options, Size cycle,
                        const std::vector<double>& times) {
    Rng rng(3);
    Clockwork clockwork({.input = 3, .hidden = hidden}, rng, options);
    nn::State initial = random_state({hidden, 1});
    for (Size row = 0; row < 3; ++row)
      initial[1].value().set(row, times[static_cast<std::size_t>(row)]);
    const auto plain = [&](const Vector& x, std::vector<Vector>* state) {
      plain_clockwork(clockwork.cell(0), options.periods, cycle, x, state);
    };
    check_values(clockwork, initial, plain, 2 * cycle + 1);
  };
  check(8, {}, 8, {0, 0, 0});
  check(8, {}, 8, {0, 3, 6});  // rows at different steps
  check(6, {.periods = {2, 3}, .bias = false}, 6, {0, 0, 0});
  check(6, {.periods = {1, 4, 6}}, 12, {5, 0, 0});
  check(3, {.periods = {1}}, 1, {0, 0, 0});
}

TEST_CASE("gradients of clockwork networks") {
  check_cell_gradients<Clockwork>("clockwork, rows at different steps", 4);
  check_cell_gradients<Clockwork>("clockwork without bias", 6,
                                  ClockworkOptions{.periods = {1, 2, 3}, .bias = false});
  Rng rng(3);
  Clockwork clockwork({.input = 3, .hidden = 6, .layers = 2, .bidirectional = true}, rng,
                      ClockworkOptions{.periods = {1, 3}});
  clockwork.to(DType::f64);
  check_both_orders(
      [&](In x) {
        return everything(clockwork(x[0], nn::UnrollOptions{.lengths = {5, 2, 4}}));
      },
      {random_tensor({5, 3, 3}, 1)}, clockwork.parameters(), 24);
}

TEST_CASE("a clockwork network counts its steps on") {
  Rng rng(3);
  Clockwork clockwork({.input = 3, .hidden = 8, .layers = 2}, rng);
  const Variable x(random_tensor({7, 2, 3}, 5, DType::f32));
  const nn::Unrolled whole = clockwork(x), first = clockwork(slice(x, 0, 0, 3)),
                     second = clockwork(slice(x, 0, 3, 4), first.final);
  CHECK(whole.final[1][1].value().at(1) == 7);
  CHECK(relative_difference(second.outputs.value(), slice(whole.outputs, 0, 3, 4).value()) < 1e-6);
  nn::States states;
  for (Size t = 0; t < 7; ++t) {
    const nn::Stepped next = clockwork.step(x[t], states);
    CHECK(relative_difference(next.output.value(), whole.outputs[t].value()) < 1e-6);
    states = next.states;
  }
  // In segments that are computed twice, and after a row's end.
  const auto run = [&](Size every) {
    return derivatives(
        [&](In in) {
          return everything(
              clockwork(in[0], nn::UnrollOptions{.lengths = {3, 7}, .checkpoint_every = every}));
        },
        {x.value()}, clockwork.parameters());
  };
  const Derivatives all = run(0), segments = run(2);
  CHECK(relative_difference(segments.value, all.value) < 1e-6);
  for (std::size_t i = 0; i < all.gradients.size(); ++i)
    CHECK(relative_difference(segments.gradients[i], all.gradients[i]) < 1e-5);
}

TEST_CASE("clockwork networks have no connections from faster to slower modules") {
  Rng rng(3);
  Clockwork clockwork({.input = 3, .hidden = 8}, rng);
  const Derivatives d =
      derivatives([&](In x) { return everything(clockwork(x[0])); },
                  {random_tensor({9, 2, 3}, 1, DType::f32)}, {clockwork.cell(0).weight_hh});
  for (Size row = 0; row < 8; ++row) {
    for (Size column = 0; column < 8; ++column) {
      const bool connected = column / 2 >= row / 2;
      CHECK((clockwork.cell(0).weight_hh.value().at(row * 8 + column) != 0) == connected);
      CHECK((d.gradients[1].at(row * 8 + column) != 0) == connected);
    }
  }
}

TEST_CASE("wrappers of clockwork networks") {
  Rng rng(3);
  Clockwork clockwork({.input = 3, .hidden = 4, .recurrent_dropout = 0.5}, rng,
                      ClockworkOptions{.periods = {2, 4}});
  const nn::Unrolled run = clockwork(Variable(random_tensor({5, 2, 3}, 1, DType::f32)));
  CHECK(run.final[0][1].value().at(0) == 1);
}

TEST_CASE("bad options of small cells") {
  Rng rng(1);
  const auto message = [&](auto network, const auto& options) {
    using Network = typename decltype(network)::element_type;
    return message_of<OptionError>([&] { Network({.input = 2, .hidden = 4}, rng, options); });
  };
  const std::shared_ptr<Rnn> rnn;
  const std::shared_ptr<Leaky> leaky;
  const std::shared_ptr<Clockwork> clockwork;
  CHECK(message(rnn, RnnOptions{.identity_init = INFINITY}) ==
        "RnnCell: identity_init inf; a finite number is needed");
  CHECK(message(leaky, LeakyOptions{.leak = 0}) == "LeakyCell: leak 0 is outside of (0, 1]");
  CHECK(message(leaky, LeakyOptions{.leak = 1.5}) == "LeakyCell: leak 1.5 is outside of (0, 1]");
  CHECK(message(leaky, LeakyOptions{.leak = 1, .learned_leak = true}) ==
        "LeakyCell: leak 1 cannot be learned; one in (0, 1) is needed");
  CHECK(message(clockwork, ClockworkOptions{.periods = {1, 2, 4}}) ==
        "ClockworkCell: 3 periods; a number that divides hidden 4 is needed");
  CHECK(message(clockwork, ClockworkOptions{.periods = {}}) ==
        "ClockworkCell: 0 periods; a number that divides hidden 4 is needed");
  CHECK(message(clockwork, ClockworkOptions{.periods = {2, 1}}) ==
        "ClockworkCell: period 1 after 2; a larger one is needed");
  CHECK(message(clockwork, ClockworkOptions{.periods = {0, 1}}) ==
        "ClockworkCell: period 0 after 0; a larger one is needed");
  CHECK(message(clockwork, ClockworkOptions{.periods = {1, 20000000}}) ==
        "ClockworkCell: period 20000000 makes a cycle of more than 16777216 steps, the most that "
        "can be counted");
}

}  // namespace
}  // namespace hindsight::test
