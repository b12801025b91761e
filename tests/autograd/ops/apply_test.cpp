// Operations written with apply(): what their functions may give, and JVP functions.
#include <hindsight/autograd/autograd.h>

#include "support.h"

namespace hindsight::test {
namespace {

template <class Backward>
std::string message(const Backward& backward, bool recorded = false) {
  Tape tape;
  const Variable x = tape.watch(Tensor::full({2, 3}, 1));
  const Variable y = apply(
      "mine", {x}, Save::inputs, x.shape(), x.dtype(),
      [](Inputs in, const Tensor& out) { copy(in[0], out); }, backward);
  return message_of<ShapeError>([&] { tape.gradient(sum(y), {x}, {.create_graph = recorded}); });
}

TEST_CASE("an operation whose backward function gives a gradient that does not fit is named") {
  const auto transposed = [](BackwardContext& ctx) { ctx.add(0, transpose(ctx.gradient)); };
  const char* wanted =
      "mine: its backward function gave a gradient of shape (3, 2) for input 0 of shape (2, 3)";
  CHECK(message(transposed) == wanted);
  CHECK(message(transposed, true) == wanted);
  CHECK(message([](BackwardContext& ctx) { ctx.add(0, sum(ctx.gradient)); }) ==
        "mine: its backward function gave a gradient of shape () for input 0 of shape (2, 3)");
  CHECK(message([](BackwardContext& ctx) { ctx.add(0, Variable()); }) ==
        "mine: its backward function gave an empty Variable for input 0 of shape (2, 3)");
  CHECK(message([](BackwardContext& ctx) { ctx.add(1, ctx.gradient); }) ==
        "another type: mine: its backward function gave a gradient for input 1 of 1");
  CHECK(message([](BackwardContext& ctx) {
          ctx.add(0, Variable(ctx.gradient.value().to(DType::f64)));
        }) ==
        "another type: mine: its backward function gave a float64 gradient for input 0, which "
        "is float32");
}

/// y = x * c, with the JVP function of the caller.
template <class Jvp>
Variable scaled(const Variable& x, const Tensor& c, const Jvp& f) {
  return apply(
      "scaled", {x}, Save::nothing, x.shape(), x.dtype(),
      [c](Inputs in, const Tensor& out) {
        for (Size i = 0; i < out.elements(); ++i) out.set(i, in[0].at(i) * c.at(i));
      },
      [c](BackwardContext& ctx) { ctx.add(0, ctx.gradient * Variable(c)); }, f);
}

TEST_CASE("a JVP function gives the tangent in forward mode") {
  const Tensor c = Tensor::from({2, -1, 0.5}, {3}, DType::f64),
               x = Tensor::from({1, 2, 3}, {3}, DType::f64),
               v = Tensor::from({0.5, -2, 4}, {3}, DType::f64);
  int calls = 0;
  const auto rule = [&](const JvpContext& ctx) {
    ++calls;
    const Variable tangent = ctx.tangent(0);
    CHECK(tangent);
    return tangent ? Variable(tangent * Variable(c)) : tangent;
  };
  const InputFunction f = [&](const std::vector<Variable>& in) {
    return Variable(sum(square(scaled(in[0], c, rule))));
  };
  const JvpResult forward = jvp(f, {x}, {v});
  CHECK(calls == 1);
  double wanted = 0;
  for (Size i = 0; i < 3; ++i) wanted += 2 * c.at(i) * x.at(i) * c.at(i) * v.at(i);
  CHECK(forward.tangent.item() == doctest::Approx(wanted).epsilon(1e-14));
  const std::vector<Tensor> product = hessian_vector_product(f, {x}, {v});
  for (Size i = 0; i < 3; ++i)
    CHECK(product[0].at(i) == doctest::Approx(2 * c.at(i) * c.at(i) * v.at(i)).epsilon(1e-14));
  // An empty tangent stands for zeros.
  const InputFunction none = [&](const std::vector<Variable>& in) {
    return Variable(sum(in[0] + scaled(in[0], c, [](const JvpContext&) { return Variable(); })));
  };
  CHECK(jvp(none, {x}, {v}).tangent.item() == doctest::Approx(2.5).epsilon(1e-14));
}

TEST_CASE("a JVP function whose tangent does not fit is named") {
  const Tensor c = Tensor::full({3}, 2);
  const auto message = [&](const auto& rule) {
    const InputFunction f = [&](const std::vector<Variable>& in) { return scaled(in[0], c, rule); };
    return message_of<ShapeError>([&] { jvp(f, {c}, {c}); });
  };
  CHECK(message([](const JvpContext& ctx) { return Variable(sum(ctx.tangent(0))); }) ==
        "scaled: its JVP function gave a tangent of shape () for an output of shape (3,)");
  CHECK(message([](const JvpContext& ctx) {
          return Variable(ctx.tangent(0).value().to(DType::f64));
        }) ==
        "another type: scaled: its JVP function gave a float64 tangent for an output that is "
        "float32");
}

}  // namespace
}  // namespace hindsight::test
