// Checkpoints: gradients equal those of the plain run, random numbers repeat, and functions that
// differ are rejected.
#include <hindsight/nn/nn.h>

#include "autograd/derivatives/all_sweeps.h"
#include "support.h"

namespace hindsight::test {
namespace {

Parameter weight(const Shape& shape, std::uint64_t seed, DType dtype = DType::f64) {
  return Parameter("w", random_tensor(shape, seed, dtype));
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

TEST_CASE("copies of an Rng repeat too, also those that the function makes and destroys") {
  const Parameter w = weight({40}, 1);
  const Variable start(random_tensor({5, 40}, 2));
  const auto loss = [&](Rng& rng, std::unique_ptr<Rng>& given, bool checkpoints) {
    const auto f = [w, start, &rng, &given](In) {
      Rng copy = rng;  // which is not drawn from itself
      Rng other(1);
      other = copy;
      const Variable first = dropout(start * w, 0.5, copy), second = dropout(first, 0.3, other);
      if (given) given->bits();
      given.reset();
      return Variable(first * second);
    };
    const Variable y = sum(checkpoints ? checkpoint(f, {}) : Variable(f({})));
    rng.bits();  // before the function is run again
    return y;
  };
  for (const auto& way : {swept, asked, second}) {
    Rng a(7), b(7);
    auto given_a = std::make_unique<Rng>(3), given_b = std::make_unique<Rng>(3);
    check_alike(
        way([&] { return loss(a, given_a, true) + square(loss(a, given_a, true)); }, {w}),
        way([&] { return loss(b, given_b, false) + square(loss(b, given_b, false)); }, {w}));
    CHECK(a.bits() == b.bits());
  }
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
