// Recorded sweeps: values that must be recomputed, sweeps that throw half-way, gradients of the
// wrong shape or type.
#include <hindsight/nn/nn.h>

#include <memory>

#include "support.h"

namespace hindsight::test {
namespace {

Parameter weight(const Shape& shape, std::uint64_t seed = 1, DType dtype = DType::f64) {
  return Parameter("w", random_tensor(shape, seed, dtype));
}

/// Copies x; forward or backward throws on request.
Variable fragile(const Variable& x, const bool* forward_throws, const bool* backward_throws) {
  return apply(
      "fragile", {x}, Save::nothing, x.shape(), x.dtype(),
      [=](Inputs in, const Tensor& out) {
        if (*forward_throws) fail<Error>("fragile: forward");
        copy(in[0], out);
      },
      [=](BackwardContext& ctx) {
        if (*backward_throws) fail<Error>("fragile: backward");
        ctx.add(0, ctx.gradient);
      });
}

TEST_CASE("a recorded sweep reads constants of other tapes that nothing else holds") {
  const Parameter w = weight({3}, 1), u = weight({3}, 2);
  for (const bool outer_lives : {false, true}) {
    INFO("the other tape lives ", outer_lives);
    auto other = std::make_unique<Tape>();
    Variable h = exp(u);
    if (!outer_lives) other.reset();
    Tape tape;
    const Variable loss = sum(tanh(h + w));
    const Variable t = tanh(h.detach() + Variable(w.value()));
    h = {};
    const Variable slope = tape.gradient(loss, {w}, {.create_graph = true})[0];
    CHECK(relative_difference(slope.value(), Variable(1 - t * t).value()) < 1e-14);
    CHECK(relative_difference(tape.gradient(sum(slope), {w})[0].value(),
                              Variable(-2 * t * (1 - t * t)).value()) < 1e-14);
  }
}

TEST_CASE("released values are recomputed once, not in each recorded sweep") {
  int runs = 0;
  const Parameter w = weight({3});
  Tape tape;
  const Variable loss = sum(square(apply(
                                       "counted", {Variable(w)}, Save::nothing, {3}, DType::f64,
                                       [&](Inputs in, const Tensor& out) {
                                         ++runs;
                                         copy(in[0], out);
                                       },
                                       [](BackwardContext& ctx) { ctx.add(0, ctx.gradient); }) *
                                   tanh(w)));
  runs = 0;
  for (int sweep = 0; sweep < 3; ++sweep) tape.gradient(loss, {w}, {.create_graph = true});
  CHECK(runs <= 1);
}

TEST_CASE("a gradient() that throws leaves no deferred product for the next one") {
  bool forward_throws = false, backward_throws = true;
  const Parameter w = weight({3, 4}), v = weight({2, 3}, 2);
  Tape tape;
  const Variable loss = sum(square(matmul(fragile(v, &forward_throws, &backward_throws), w)));
  CHECK(message_of<Error>([&] { tape.gradient(loss, {w, v}); }) == "fragile: backward");
  backward_throws = false;
  const Tensor got = tape.gradient(loss, {w, v})[0].value();
  const Variable x(v.value()), m(w.value());
  const Tensor wanted = Variable(2 * matmul(transpose(x), matmul(x, m))).value();
  CHECK(relative_difference(got, wanted) < 1e-14);
  backward_throws = true;
  CHECK(message_of<Error>([&] { tape.gradient(loss, {w, v}); }) == "fragile: backward");
  backward_throws = false;
  tape.backward(loss);
  CHECK(relative_difference(w.gradient(), wanted) < 1e-14);
}

TEST_CASE("a backward() that throws consumes the tape and leaves no partial sum") {
  bool forward_throws = false, backward_throws = true;
  const Parameter w = weight({3, 4}), v = weight({2, 3}, 2);
  Tape tape;
  const auto loss_of = [&] {
    return sum(square(matmul(fragile(v, &forward_throws, &backward_throws), w)));
  };
  const Variable loss = loss_of() + sum(square(w));
  CHECK(message_of<Error>([&] { tape.backward(loss); }) == "fragile: backward");
  CHECK(tape.operations() == 0);
  CHECK(!loss.recorded());
  CHECK(!w.has_gradient());
  CHECK(!v.has_gradient());
  backward_throws = false;
  tape.backward(loss_of());
  const Variable x(v.value()), m(w.value());
  CHECK(relative_difference(w.gradient(),
                            Variable(2 * matmul(transpose(x), matmul(x, m))).value()) < 1e-14);
}

TEST_CASE("a recorded sweep that cannot recompute a value changes nothing") {
  bool forward_throws = false, backward_throws = false;
  const Parameter w = weight({3}), v = weight({3}, 2);
  Tape tape;
  const Variable loss = sum(tanh(fragile(tanh(w), &forward_throws, &backward_throws) + square(v)));
  const Tensor wanted = tape.gradient(loss, {w})[0].value().contiguous_copy();
  forward_throws = true;
  CHECK(message_of<Error>([&] { tape.gradient(loss, {v}, {.create_graph = true}); }) ==
        "fragile: forward");
  forward_throws = false;
  CHECK(relative_difference(tape.gradient(loss, {w}, {.create_graph = true})[0].value(), wanted) <
        1e-14);
  forward_throws = true;
  CHECK(message_of<Error>([&] { tape.gradient(loss, {v}, {.create_graph = true}); }) ==
        "nothing was thrown");  // the value is still there
  tape.backward(loss);
  CHECK(relative_difference(w.gradient(), wanted) < 1e-14);
}

TEST_CASE("a recorded sweep that cannot recompute a value does not affect backward()") {
  bool forward_throws = false, backward_throws = false;
  const Parameter w = weight({3}), v = weight({3}, 2);
  Tape tape;
  const Variable loss = sum(tanh(fragile(tanh(w), &forward_throws, &backward_throws) + square(v)));
  forward_throws = true;
  message_of<Error>([&] { tape.gradient(loss, {v}, {.create_graph = true}); });
  tape.backward(loss);
  REQUIRE(w.has_gradient());
  const Variable t = tanh(Variable(w.value())), y = tanh(t + square(Variable(v.value())));
  CHECK(relative_difference(w.gradient(), Variable((1 - y * y) * (1 - t * t)).value()) < 1e-14);
}

TEST_CASE("gradients of the wrong type or shape are rejected") {
  const Parameter w = weight({5});
  const auto wrong = [&](const Tensor& gradient) {
    return sum(apply(
        "wrong", {Variable(w)}, Save::nothing, {5}, DType::f64,
        [](Inputs in, const Tensor& out) { copy(in[0], out); },
        [=](BackwardContext& ctx) { ctx.add(0, Variable(gradient.contiguous_copy())); }));
  };
  for (const bool create_graph : {false, true}) {
    Tape tape;
    const GradientOptions options{.create_graph = create_graph};
    CHECK(message_of<DTypeError>(
              [&] { tape.gradient(wrong(Tensor::full({5}, 1, DType::f32)), {w}, options); }) ==
          "wrong: its backward function gave a float32 gradient for input 0, which is float64");
    CHECK(message_of<ShapeError>(
              [&] { tape.gradient(wrong(Tensor::full({4}, 1, DType::f64)), {w}, options); }) ==
          "wrong: its backward function gave a gradient of shape (4,) for input 0 of shape (5,)");
    const Variable y = w * 2;
    CHECK(message_of<DTypeError>([&] {
            GradientOptions narrow = options;
            narrow.cotangents = {Variable(Tensor::full({5}, 1, DType::f32))};
            tape.gradient({y}, {w}, narrow);
          }) == "gradient: output 0 is float64 but its cotangent is float32");
  }
}

TEST_CASE("a parameter that was converted while it was recorded is rejected") {
  Parameter w("layer.w", random_tensor({3}, 1, DType::f32));
  Tape tape;
  const Variable loss = sum(square(w));
  w.to(DType::f64);
  CHECK(message_of<TapeError>([&] { tape.gradient(loss, {loss}); }) ==
        "gradient: the dtype of parameter layer.w was changed after the tape used it");
  CHECK(message_of<TapeError>([&] { tape.backward(loss); }) ==
        "backward: the dtype of parameter layer.w was changed after the tape used it");
  CHECK(!w.has_gradient());
  w.to(DType::f32);
  tape.backward(loss);
  CHECK(relative_difference(w.gradient(), Variable(2 * Variable(w.value())).value()) < 1e-6);
}

/// Copies the input; copying the functor throws on request.
struct Uncopyable {
  const bool* rejects;
  explicit Uncopyable(const bool* when) : rejects(when) {}
  Uncopyable(const Uncopyable& other) : rejects(other.rejects) {
    if (*rejects) fail<Error>("uncopyable");
  }
  void operator()(Inputs in, const Tensor& out) const { copy(in[0], out); }
};

TEST_CASE("an operation that throws while it is recorded leaks nothing") {
  bool throws = true, never = false;
  Tape tape;
  const Variable x = tape.watch(random_tensor({30}, 1));
  const std::int64_t before = pool::statistics().bytes_in_use;
  CHECK(message_of<Error>([&] { fragile(x, &throws, &never); }) == "fragile: forward");
  CHECK(pool::statistics().bytes_in_use == before);
  CHECK(message_of<Error>([&] {
          apply("uncopyable", {x}, Save::nothing, x.shape(), x.dtype(), Uncopyable(&throws),
                [](BackwardContext&) {});
        }) == "uncopyable");
  CHECK(pool::statistics().bytes_in_use == before);
  CHECK(tape.operations() == 0);
}

}  // namespace
}  // namespace hindsight::test
