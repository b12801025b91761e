// Checkpoints: gradients equal those of the plain run for every kind of run, memory grows with the
// square root of the length, random numbers repeat, and functions that differ are rejected.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

Parameter weight(const Shape& shape, std::uint64_t seed, DType dtype = DType::f64) {
  return Parameter("w", random_tensor(shape, seed, dtype));
}

/// The gradients of the parameters by backward().
std::vector<Tensor> swept(const std::function<Variable()>& loss,
                          const std::vector<Parameter>& parameters) {
  for (Parameter p : parameters) p.clear_gradient();
  Tape tape;
  tape.backward(loss());
  CHECK(tape.operations() == 0);
  std::vector<Tensor> result;
  for (const Parameter& p : parameters) result.push_back(p.gradient().contiguous_copy());
  return result;
}

/// By gradient(), which keeps the tape.
std::vector<Tensor> asked(const std::function<Variable()>& loss,
                          const std::vector<Parameter>& parameters) {
  Tape tape;
  const std::vector<Variable> wanted(parameters.begin(), parameters.end());
  const Variable y = loss();
  const Size before = tape.operations();
  std::vector<Tensor> result;
  for (int again = 0; again < 2; ++again) {
    result.clear();
    for (const Variable& g : tape.gradient(y, wanted))
      result.push_back(g.value().contiguous_copy());
    CHECK(tape.operations() == before);
  }
  return result;
}

/// Derivatives of the gradients' squares: a recorded sweep, then another one.
std::vector<Tensor> second(const std::function<Variable()>& loss,
                           const std::vector<Parameter>& parameters) {
  Tape tape;
  const std::vector<Variable> wanted(parameters.begin(), parameters.end());
  Variable total(Tensor::zeros({}, DType::f64));
  for (const Variable& g : tape.gradient(loss(), wanted, {.create_graph = true}))
    total = total + sum(square(g));
  std::vector<Tensor> result;
  for (const Variable& g : tape.gradient(total, wanted))
    result.push_back(g.value().contiguous_copy());
  return result;
}

void check_alike(const std::vector<Tensor>& got, const std::vector<Tensor>& wanted,
                 double tolerance = 1e-12) {
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("gradient ", i);
    CHECK(relative_difference(got[i], wanted[i]) < tolerance);
  }
}

/// Products with the Jacobian and the Hessian along fixed directions, by forward and reverse mode.
std::vector<Tensor> products(const std::function<Variable()>& loss,
                             const std::vector<Parameter>& parameters) {
  std::vector<Tensor> directions;
  for (const Parameter& p : parameters)
    directions.push_back(random_tensor(p.shape(), 7 + directions.size(), p.dtype()));
  std::vector<Tensor> result = hessian_vector_product(loss, parameters, directions);
  result.push_back(jvp(loss, parameters, directions).tangent);
  return result;
}

void check_all_sweeps(const std::function<Variable()>& plain,
                      const std::function<Variable()>& checkpointed,
                      const std::vector<Parameter>& parameters) {
  check_alike(swept(checkpointed, parameters), swept(plain, parameters));
  check_alike(asked(checkpointed, parameters), asked(plain, parameters));
  check_alike(second(checkpointed, parameters), second(plain, parameters));
  check_alike(products(checkpointed, parameters), products(plain, parameters));
}

TEST_CASE("one output, parameters found inside, captured Variables and constants") {
  const Parameter u = weight({3, 3}, 1), v = weight({3}, 2);
  const Variable constant(random_tensor({4, 3}, 3));
  const auto loss = [&](bool checkpoints) {
    return [&, checkpoints] {
      const Variable x = matmul(constant, u), captured = exp(v);
      const auto f = [u, captured, constant](In in) {
        return tanh(matmul(in[0], u) * captured + constant);
      };
      return sum(square(checkpoints ? checkpoint(f, {x}) : Variable(f({x}))));
    };
  };
  check_all_sweeps(loss(false), loss(true), {u, v});
  Tape tape;
  const Variable y = loss(true)();
  CHECK(tape.operations() < 10);  // the segment has one, and one for its output
}

TEST_CASE("several outputs: computed, constant, an input itself, a view, one that is not used") {
  const Parameter w = weight({4, 6}, 1);
  const auto loss = [&](bool checkpoints) {
    return [&, checkpoints] {
      const Variable x = exp(w);
      const auto f = [](In in) {
        const Variable y = tanh(in[0]);
        return std::vector<Variable>{
            y[1],     slice(y, 1, 2, 3), in[0], Variable(Tensor::full({2}, 3, DType::f64)),
            in[0][2], sin(in[0]),        y};
      };
      const std::vector<Variable> r = checkpoints ? checkpoint(f, {x}) : f({x});
      CHECK(!r[3].recorded());
      if (checkpoints) CHECK(r[2].node() == x.node());
      return sum(square(r[0])) + sum(r[1]) * sum(r[3]) + sum(r[2]) + sum(cos(r[4])) +
             sum(square(r[6]) * r[2]);
    };
  };
  check_all_sweeps(loss(false), loss(true), {w});
}

TEST_CASE("checkpoints within checkpoints") {
  const Parameter w = weight({3, 3}, 1);
  const Variable start(random_tensor({2, 3}, 2));
  const auto step = [&](const Variable& h) { return Variable(tanh(matmul(h, w))); };
  const auto plain = [&] {
    Variable h = start;
    for (int i = 0; i < 8; ++i) h = step(h);
    return sum(square(h));
  };
  const std::function<Variable(Variable, int)> halves = [&](const Variable& h, int steps) {
    if (steps == 1) return step(h);
    return checkpoint(
        [&, steps](In in) { return halves(halves(in[0], steps / 2), steps - steps / 2); }, {h});
  };
  check_all_sweeps(plain, [&] { return sum(square(halves(start, 8))); }, {w});
  Tape tape;
  const Variable loss = sum(square(halves(start, 8)));
  CHECK(tape.operations() == 4);  // checkpoint, its output, square, sum
}

TEST_CASE("derivatives of first and second order against differences") {
  check_both_orders(
      [](In x) {
        const std::vector<Variable> r = checkpoint(
            [](In in) {
              const Variable y = matmul(in[0], in[1]);
              return std::vector<Variable>{tanh(y), sum(y, {0})};
            },
            {x[0], x[1]});
        return Variable(r[0] * r[1]);
      },
      {random_tensor({2, 3}, 1), random_tensor({3, 4}, 2)});
  check_float_like_double([](In x) { return checkpoint([](In in) { return exp(in[0]); }, x); },
                          {random_tensor({5}, 1)});
}

TEST_CASE("when nothing is recording, the function is just called") {
  const Parameter w = weight({3}, 1);
  int runs = 0;
  const auto f = [&](In in) {
    ++runs;
    return in[0] * w;
  };
  CHECK(!checkpoint(f, {Variable(w)}).recorded());
  Tape tape;
  const Tape::Pause pause;
  CHECK(!checkpoint(f, {Variable(w)}).recorded());
  CHECK(runs == 2);
}

TEST_CASE("values that a function stores elsewhere are constants afterwards") {
  const Parameter w = weight({3}, 1);
  Tape tape;
  Variable inside;
  const Variable y = checkpoint(
      [&](In in) {
        inside = exp(in[0]);
        return sum(inside);
      },
      {Variable(w)});
  CHECK(!inside.recorded());
  CHECK(y.recorded());
}

TEST_CASE("random numbers repeat in the second run") {
  const Parameter w = weight({40}, 1);
  const Variable start(random_tensor({5, 40}, 2));
  const auto loss = [&](Rng& rng, bool checkpoints) {
    const auto f = [w, start, &rng](In) {
      Rng own(rng.bits());  // made by the function
      rng.normal();
      return dropout(dropout(start * w, 0.5, rng) * w, 0.3, own) *
             Variable(Tensor::full({}, rng.normal(), DType::f64));
    };
    return sum(checkpoints ? checkpoint(f, {}) : Variable(f({})));
  };
  for (const auto& way : {swept, asked, second}) {
    Rng a(7), b(7);
    check_alike(way([&] { return loss(a, true) + square(loss(a, true)); }, {w}),
                way([&] { return loss(b, false) + square(loss(b, false)); }, {w}));
    CHECK(a.bits() == b.bits());  // the sweeps restore its state
  }
}

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

TEST_CASE("a function that computes something different the second time is rejected") {
  const Parameter w = weight({3}, 1);
  const auto message = [&](const auto& f) {
    Tape tape;
    const Variable loss = [&] {
      const Scope scope("decoder");
      return sum(checkpoint(f, {Variable(w)}));
    }();
    return message_of<TapeError>([&] { tape.backward(loss); });
  };
  const std::string other =
      "checkpoint in decoder: output 0 of the function is different when it is recomputed; what "
      "the "
      "function captured, and modes such as Evaluation, must be the same during the sweep";
  int runs = 0;
  CHECK(message([&](In in) { return Variable(in[0] * ++runs); }) == other);
  CHECK(message([&](In in) {
          return ++runs % 2 ? std::vector<Variable>{exp(in[0])}[0] : Variable(in[0][0]);
        }) == other);
  CHECK(!w.has_gradient());
}

TEST_CASE("a parameter changed before the sweep is named, and the tape is left as it was") {
  Parameter w = weight({3}, 1);
  Tape tape;
  const Variable loss = sum(checkpoint([w](In) { return exp(w); }, {}));
  w.assign(Tensor::full({3}, 2, DType::f64));
  const Size before = tape.operations();
  CHECK(
      message_of<TapeError>([&] { tape.gradient(loss, {Variable(w)}); }) ==
      "gradient: parameter w was changed after the tape used it, so its derivatives can no longer "
      "be computed; change it after the sweep, or use a new tape");
  CHECK(tape.operations() == before);
  CHECK(message_of<TapeError>([&] { tape.backward(loss); }).find("backward: parameter w") == 0);
  CHECK(tape.operations() == before);
}

TEST_CASE("a function that throws the second time leaves the tape as it was") {
  const Parameter w = weight({3}, 1);
  bool throws = false;
  Tape tape;
  const Variable loss = sum(checkpoint(
      [&](In in) {
        const Variable y = exp(in[0]);
        if (throws) fail<Error>("now");
        return y * y;
      },
      {Variable(w)}));
  const Size before = tape.operations();
  throws = true;
  CHECK(message_of<Error>([&] { tape.gradient(loss, {Variable(w)}); }) == "now");
  CHECK(tape.operations() == before);
  throws = false;
  const Tensor got = tape.gradient(loss, {Variable(w)})[0].value();
  CHECK(relative_difference(got, Variable(2 * exp(2 * Variable(w))).value()) < 1e-14);
}

TEST_CASE("FiniteChecks name the place in a checkpoint, also in the reverse sweep") {
  const FiniteChecks checks;
  Parameter w("w", Tensor::from({1, 0, 4}, {3}));
  Tape tape;
  const Variable loss = [&] {
    const Scope scope("decoder");
    return sum(checkpoint(
        [w](In) {
          const Scope step(TimeStep{2});
          return Variable(sqrt(Variable(w)));
        },
        {}));
  }();
  CHECK(message_of<NonFiniteError>([&] { tape.backward(loss); }) ==
        "sqrt: in backward, the gradient of parameter w has inf at [1] of its shape (3,), in "
        "decoder, time step 2");
}

TEST_CASE("options of Recurrent are checked") {
  Rng rng(1);
  nn::Rnn rnn({.input = 2, .hidden = 3}, rng);
  CHECK(message_of<OptionError>([&] {
          rnn(Variable(random_tensor({3, 2, 2}, 1, DType::f32)), {.checkpoint_every = -1});
        }) == "Recurrent: checkpoint_every is -1; a number of steps, or 0 for none, is needed");
}

}  // namespace
}  // namespace hindsight::test
