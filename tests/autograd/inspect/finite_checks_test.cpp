// The messages of FiniteChecks, which name operation, parameter, time step and batch row.
#include "autograd/inspect/small_model.h"

namespace hindsight::test {
namespace {

TEST_CASE("a value that is not finite is named with parameter, time step and batch row") {
  const FiniteChecks checks;
  Rng rng(1);
  Model model(rng, 2);
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
