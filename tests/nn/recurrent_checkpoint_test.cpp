// Checkpoints in recurrent networks: gradients equal those of the plain run for every kind of
// network, and memory grows with the square root of the length.
#include <hindsight/nn/nn.h>

#include "autograd/derivatives/all_sweeps.h"
#include "support.h"

namespace hindsight::test {
namespace {

/// An LSTM's loss of outputs and final states, plain or with checkpoints.
struct Kind {
  const char* name;
  nn::RecurrentOptions network;
  std::vector<Size> lengths = {};
  bool final_only = false;
};

struct Losses {
  Kind kind;
  Rng rng{5};
  nn::Lstm lstm{kind.network, rng};
  Tensor inputs = random_tensor({11, 3, 4}, 1);

  explicit Losses(const Kind& k) : kind(k) { lstm.to(DType::f64); }
  Variable operator()(Size every) {
    // The states are carried once, from a first part of the sequence.
    const Variable x(inputs);
    const nn::Unrolled first = lstm(slice(x, 0, 0, 3), {.checkpoint_every = every});
    const nn::Unrolled run = lstm(slice(x, 0, 3, 8), {.initial = first.final,
                                                      .lengths = kind.lengths,
                                                      .checkpoint_every = every,
                                                      .final_only = kind.final_only});
    CHECK(static_cast<bool>(run.outputs) == !kind.final_only);
    Variable loss(Tensor::zeros({}, DType::f64));
    if (run.outputs) loss = sum(square(run.outputs)) + sum(run.outputs[2]);
    for (const nn::State& state : run.final) loss = loss + sum(sin(state[0])) + sum(state[1]);
    return loss;
  }
};

/// A cell that draws in every step: recurrent dropout.
struct DroppingCell : nn::Cell {
  Parameter u = parameter("u", random_tensor({6, 6}, 3));
  mutable Rng rng{9};
  DroppingCell(Size, Size, Rng&) {}
  nn::State step(const Variable& x, const nn::State& s) const override {
    return {tanh(x + matmul(nn::training() ? dropout(s[0], 0.5, rng) : s[0], u))};
  }
  nn::Widths state_sizes() const override { return {6}; }
};

/// The peak of the pool's bytes over a run and its sweep of `steps` steps, beyond those before.
Size peak_of(Size steps, Size every) {
  Rng rng(1);
  nn::Rnn rnn({.input = 1, .hidden = 32}, rng);
  const Tensor inputs = random_tensor({steps, 64, 1}, 1, DType::f32);
  const Size before = pool::statistics().bytes_in_use;
  pool::reset_peak();
  Tape tape;
  const nn::Unrolled run = rnn(Variable(inputs), {.checkpoint_every = every, .final_only = true});
  tape.backward(sum(square(run.final[0][0])));
  return pool::statistics().peak_bytes - before;
}

TEST_CASE("every kind of recurrent network has the gradients of its plain run") {
  const std::vector<Kind> kinds{
      {"one layer", {.input = 4, .hidden = 5}},
      {"final state alone", {.input = 4, .hidden = 5}, {}, true},
      {"padded", {.input = 4, .hidden = 5}, {8, 2, 5}},
      {"two layers, both directions, padded",
       {.input = 4, .hidden = 3, .layers = 2, .bidirectional = true},
       {4, 8, 1}},
      {"two layers, final states",
       {.input = 4, .hidden = 3, .layers = 2, .bidirectional = true},
       {},
       true},
      {"dropout between layers", {.input = 4, .hidden = 3, .layers = 3, .dropout = 0.4}},
  };
  for (const Kind& kind : kinds) {
    INFO(kind.name);
    for (const Size every : {3, 4, 100}) {
      INFO("every ", every);
      for (const auto& way : {swept, asked, second}) {
        if (way == second && every != 3) continue;
        Losses plain(kind), checkpointed(kind);  // equal, each with its own random numbers
        const std::vector<Tensor> wanted = way([&] { return plain(0); }, plain.lstm.parameters());
        check_alike(way([&] { return checkpointed(every); }, checkpointed.lstm.parameters()),
                    wanted, way == second ? 1e-10 : 1e-12);
      }
    }
  }
}

TEST_CASE("a cell that draws random numbers") {
  const Tensor inputs = random_tensor({10, 2, 6}, 1);
  const auto gradient = [&](Size every) {
    Rng rng(1);
    nn::Recurrent<DroppingCell> network({.input = 6, .hidden = 6}, rng);
    return swept(
        [&] { return sum(square(network(Variable(inputs), {.checkpoint_every = every}).outputs)); },
        network.parameters());
  };
  check_alike(gradient(4), gradient(0));
}

TEST_CASE("symbols as inputs, and a model that is destroyed before the sweep") {
  const Indices symbols(std::vector<int>{0, 1, 2, 3, 3, 1, 0, 2, 2, 1}, {5, 2});
  const auto gradient = [&](Size every) {
    Rng rng(1);
    auto lstm = std::make_unique<nn::Lstm>(nn::RecurrentOptions{.input = 4, .hidden = 3}, rng);
    const std::vector<Parameter> parameters = lstm->parameters();
    return swept(
        [&] {
          auto copy = std::make_unique<Indices>(symbols);
          const Variable loss = sum(square((*lstm)(*copy, {.checkpoint_every = every}).outputs));
          copy.reset();
          lstm.reset();
          return loss;
        },
        parameters);
  };
  check_alike(gradient(2), gradient(0), 1e-6);
}

TEST_CASE("memory grows with the square root of the length") {
  peak_of(100, 10);  // allocates the parameters' gradients and transposed copies
  const double plain = static_cast<double>(peak_of(1600, 0)),
               small = static_cast<double>(peak_of(400, 20)),
               large = static_cast<double>(peak_of(1600, 40)),
               larger = static_cast<double>(peak_of(6400, 80));
  CHECK(large < 0.2 * plain);
  CHECK(large / small < 2.2);
  CHECK(larger / large < 2.2);
}

}  // namespace
}  // namespace hindsight::test
