// Operations that leave a value as it is and change its gradient; wrong backward functions.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

TEST_CASE("a hook sees the whole gradient once a sweep, and may replace it") {
  const Tensor start = random_tensor({3, 4}, 1);
  std::vector<Tensor> seen;
  Tape tape;
  const Variable x = tape.watch(start);
  const Variable y = hook_gradient(
      x * 2.0, [&](const Variable& g) { seen.push_back(g.value().contiguous_copy()); });
  CHECK(same_bits(y.value(), Variable(Variable(start) * 2.0).value()));
  const Variable loss = sum(square(y)) + sum(y);
  const Tensor gradient = tape.gradient(loss, {x})[0].value().contiguous_copy();
  REQUIRE(seen.size() == 1);
  CHECK(relative_difference(seen[0], Variable(2.0 * y + 1.0).value()) < 1e-14);
  CHECK(relative_difference(gradient, Variable(4.0 * y + 2.0).value()) < 1e-14);

  const Variable z = hook_gradient(x, [](const Variable& g) { return Variable(g * g); });
  CHECK(relative_difference(tape.gradient(sum(3.0 * z), {x})[0].value(),
                            Tensor::full({3, 4}, 9, DType::f64)) < 1e-14);
}

TEST_CASE("what a hook computes is differentiated again") {
  Tape tape;
  const Variable x = tape.watch(random_tensor({5}, 1));
  const Variable y = hook_gradient(x, [](const Variable& g) { return Variable(g * g); });
  // y^3 has the gradient 3 x^2, which the hook squares: 9 x^4, of derivative 36 x^3 for each use.
  const Variable g = tape.gradient(sum(y * y * y), {x}, {.create_graph = true})[0];
  CHECK(relative_difference(g.value(), Variable(9 * square(square(x))).value()) < 1e-14);
  // Differentiating the gradient along its own path gives (18 x^2) (6 x); this path passes the hook
  // too, which squares it.
  const Variable arriving = 2 * (3 * x * x) * (6 * x);
  CHECK(relative_difference(tape.gradient(sum(g), {x})[0].value(),
                            Variable(square(arriving)).value()) < 1e-13);
}

TEST_CASE("forward mode ignores hooks") {
  int calls = 0;
  const auto f = [&](In x) {
    const Variable looked = hook_gradient(3.0 * x[0], [&](const Variable&) { ++calls; });
    const Variable normal =
        hook_gradient(looked, [](const Variable& g) { return Variable(g / norm(g)); });
    return clip_gradient(scale_gradient(normal, -1), 0.1);
  };
  const Tensor x = random_tensor({3}, 1), along = Tensor::full({3}, 1, DType::f64);
  CHECK(relative_difference(jvp(f, {x}, {along}).tangent, Tensor::full({3}, 3, DType::f64)) <
        1e-14);
  CHECK(calls == 0);
}

TEST_CASE("gradients are stopped, scaled and clipped") {
  Tape tape;
  const Variable x = tape.watch(Tensor::from({-2, -0.1, 0.1, 2}, {4}, DType::f64));
  const auto gradient = [&](const Variable& y) {
    return tape.gradient(sum(square(y)), {x})[0].value();
  };
  CHECK(!stop_gradient(x).recorded());
  CHECK(relative_difference(gradient(x * stop_gradient(x)), Variable(2.0 * x * x * x).value()) <
        1e-14);
  CHECK(relative_difference(gradient(scale_gradient(x, -0.5)), Variable(-x).value()) < 1e-14);
  CHECK(relative_difference(gradient(clip_gradient(x, 1.5)),
                            Tensor::from({-1.5, -0.2, 0.2, 1.5}, {4}, DType::f64)) < 1e-14);
}

TEST_CASE("the temporal component of a recurrent gradient is clipped") {
  // h' = tanh(h u + x), with the gradient of h clipped at every step (Mikolov).
  const Tensor inputs = random_tensor({6, 2, 3}, 1);
  Parameter u("u", random_tensor({3, 3}, 2, DType::f64, -2, 2));
  const double limit = 0.4;
  Tape tape;
  const Variable x = tape.watch(inputs);
  Variable h(Tensor::zeros({2, 3}, DType::f64));
  std::vector<Variable> states;
  double largest_before = 0, largest_after = 0;
  const auto largest = [](const Variable& g) { return max(abs(g)).item(); };
  for (Size t = 0; t < 6; ++t) {
    h = hook_gradient(
        h, [&](const Variable& g) { largest_after = std::max(largest_after, largest(g)); });
    h = clip_gradient(h, limit);
    h = hook_gradient(
        h, [&](const Variable& g) { largest_before = std::max(largest_before, largest(g)); });
    h = tanh(matmul(h, u) + x[t]);
    states.push_back(h);
  }
  tape.backward(sum(concat(states, 0)));
  CHECK(largest_before > limit);
  CHECK(largest_after == limit);
}

TEST_CASE("a hook whose gradient does not fit is named") {
  Tape tape;
  const Variable x = tape.watch(Tensor::full({2}, 1));
  const Variable y = hook_gradient(x, [](const Variable& g) { return sum(g); });
  CHECK(
      message_of<ShapeError>([&] { tape.backward(sum(y)); }) ==
      "hook_gradient: its backward function gave a gradient of shape () for input 0 of shape (2,)");
}

TEST_CASE("limits and factors that make no sense are rejected") {
  const Variable x(Tensor::full({2}, 1));
  CHECK(message_of<OptionError>([&] { clip_gradient(x, 0); }) ==
        "clip_gradient: limit 0 is not above 0");
  CHECK(message_of<OptionError>([&] { clip_gradient(x, NAN); }) ==
        "clip_gradient: limit nan is not above 0");
  CHECK(message_of<OptionError>([&] { scale_gradient(x, INFINITY); }) ==
        "scale_gradient: factor inf is not finite");
}

}  // namespace
}  // namespace hindsight::test
