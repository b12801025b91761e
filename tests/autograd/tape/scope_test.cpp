// Scopes, and the paths that operations keep of them.
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

}  // namespace
}  // namespace hindsight::test
