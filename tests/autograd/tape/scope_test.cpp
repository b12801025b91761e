// Scope paths, and the messages of FiniteChecks that name them.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

TEST_CASE("scopes nest, and operations keep the path of theirs") {
  CHECK(!ScopePath::current());
  CHECK(ScopePath::current().to_string() == "");
  ScopePath kept;
  {
    const Scope model("model");
    CHECK(ScopePath::current().time_step() == ScopePath::kNoStep);
    {
      const Scope step(TimeStep{3});
      const Scope part("gates");
      kept = ScopePath::current();
      CHECK(kept.name() == "gates");
      CHECK(kept.step() == ScopePath::kNoStep);
      CHECK(kept.time_step() == 3);
      CHECK(kept.outer().step() == 3);
      const ScopeGuard elsewhere{ScopePath()};
      CHECK(!ScopePath::current());
    }
    CHECK(ScopePath::current().to_string() == "model");
    CHECK(kept.outer().outer() == ScopePath::current());
  }
  CHECK(!ScopePath::current());
  CHECK(kept.to_string() == "model, time step 3, gates");

  Tape tape;
  const Variable x = tape.watch(Tensor::full({2}, 1));
  {
    const Scope step(TimeStep{7});
    const Variable y = tanh(x);
    CHECK(tape.newest()->place().to_string() == "time step 7");
  }
}

TEST_CASE("a scope that cannot be allocated leaves the outer one active") {
  const std::string long_name(5000, 'n');
  pool::trim();  // so that memory must be allocated
  const std::int64_t before = pool::statistics().bytes_in_use;
  {
    const Scope around("around");
    const auto open = [&] {
      const FailingMemory now(0);
      const Scope inner(long_name);
    };
    if (FailingMemory::works()) CHECK_THROWS_AS(open(), std::bad_alloc);
    CHECK(ScopePath::current().to_string() == "around");
  }
  CHECK(pool::statistics().bytes_in_use == before);
}

TEST_CASE("a deep nest of scopes is destroyed without recursion") {
  ScopePath deepest;
  {
    std::vector<std::unique_ptr<Scope>> scopes;
    for (Size i = 0; i < 100000; ++i) scopes.push_back(std::make_unique<Scope>(TimeStep{i}));
    deepest = ScopePath::current();
    while (!scopes.empty()) scopes.pop_back();
  }
  CHECK(deepest.step() == 99999);
  deepest = ScopePath();
  CHECK(!ScopePath::current());
}

struct Model : nn::Module {
  explicit Model(Rng& rng)
      : rnn(child("encoder",
                  nn::Recurrent<nn::LstmCell>({.input = 2, .hidden = 3, .layers = 2}, rng))),
        readout(child("readout", nn::Linear({.inputs = 3, .outputs = 2}, rng))) {}
  nn::Recurrent<nn::LstmCell> rnn;
  nn::Linear readout;
};

TEST_CASE("modules open scopes under the names they have in the outermost one") {
  struct Outer : nn::Module {
    explicit Outer(Rng& rng) : model(child("model", Model(rng))) {}
    Model model;
  };
  Rng rng(1);
  Outer outer(rng);
  CHECK(outer.model.readout.path_or("Linear") == "model.readout");
  CHECK(nn::Linear({.inputs = 1, .outputs = 1}, rng).path_or("Linear") == "Linear");
  Tape tape;
  const Variable outputs =
      outer.model.rnn(Variable(random_tensor({4, 2, 2}, 1, DType::f32))).outputs;
  CHECK(tape.newest()->place().to_string() == "model.encoder, layer 1, time step 3");
  outer.model.readout(outputs);
  CHECK(tape.newest()->place().to_string() == "model.readout");
}

TEST_CASE("a value that is not finite is named with parameter, time step and batch row") {
  const FiniteChecks checks;
  Rng rng(1);
  Model model(rng);
  Tensor inputs = random_tensor({4, 3, 2}, 1, DType::f32);
  inputs.set((2 * 3 + 1) * 2, INFINITY);  // step 2, row 1
  {
    Tape tape;
    const std::string message = message_of<NonFiniteError>([&] { model.rnn(Variable(inputs)); });
    CHECK(message ==
          "matmul: produced inf at [2, 1, 0] of its output of shape (4, 3, 12), in encoder, layer "
          "0, projection of steps 0 to 3, step 2 of these, batch row 1 (it reads "
          "encoder.weight_ih_l0)");
  }
  const Variable states(random_tensor({3, 3}, 2, DType::f32));
  {
    Tape tape;
    const Scope step(TimeStep{5});
    CHECK(
        message_of<NonFiniteError>([&] { Variable(log(states * 0.0)); }) ==
        "log: produced -inf at [0, 0] of its output of shape (3, 3), in time step 5, batch row 0");
  }
}

TEST_CASE("a gradient that is not finite is named too") {
  const FiniteChecks checks;
  Parameter w("w", Tensor::from({1, 0, 4}, {3}));
  const auto message = [&](const std::function<Variable(Tape&)>& f) {
    Tape tape;
    const Variable loss = f(tape);
    return message_of<NonFiniteError>([&] { tape.backward(loss); });
  };
  CHECK(message([&](Tape&) {
          const Scope step(TimeStep{2});
          return sum(sqrt(Variable(w)));
        }) ==
        "sqrt: in backward, the gradient of parameter w has inf at [1] of its shape (3,), in "
        "time step 2");
  // In a product that the sweep defers.
  Parameter v("v", Tensor::full({2, 2}, 1e-30f));
  CHECK(message([&](Tape& tape) {
          const Variable x = tape.watch(Tensor::full({4, 2}, 3e38f));
          return sum(matmul(x, transpose(v)) * 100);
        }) ==
        "matmul: in backward, the gradient of parameter v has inf at [0, 0] of its shape (2, 2)");
}

}  // namespace
}  // namespace hindsight::test
