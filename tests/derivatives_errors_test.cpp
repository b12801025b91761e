// What the derivative calls say of bad input.
#include "support.h"

namespace hindsight::test {
namespace {

TEST_CASE("directions, cotangents and losses that do not fit are named") {
  const Tensor a = Tensor::zeros({2, 3}, DType::f64), b = Tensor::zeros({3}, DType::f64);
  const Function f = [](In x) { return x[0] * x[1]; };
  const Parameter p("weight", a);
  const auto of_p = [&]() -> Variable { return square(p); };
  CHECK(message_of<OptionError>([&] { jvp(f, {a, b}, {a}); }) == "jvp: 1 directions for 2 inputs");
  CHECK(message_of<ShapeError>([&] {
          jvp(f, {a, b}, {a, a});
        }) == "jvp: the direction of input 1 is (2, 3); (3,) is needed");
  CHECK(message_of<DTypeError>([&] {
          jvp(of_p, {p}, {Tensor::zeros({2, 3})});
        }) == "jvp: the direction of parameter weight is float32; float64 is needed");
  CHECK(message_of<ShapeError>([&] {
          vjp(f, {a, b}, b);
        }) == "vjp: the cotangent of the output is (3,); (2, 3) is needed");
  CHECK(message_of<ShapeError>([&] { hessian_vector_product(of_p, {p}, {a}); }) ==
        "hessian_vector_product: the loss has shape (2, 3); a scalar is needed (sum or mean it)");
  CHECK(message_of<ShapeError>([&] {
          gauss_newton_vector_product(of_p, [](const Variable& z) { return z; }, {p}, {a});
        }) ==
        "gauss_newton_vector_product: the loss has shape (2, 3); a scalar is needed (sum or mean "
        "it)");
  CHECK(message_of<OptionError>([&] {
          jvp(of_p, {p, p}, {a, a});
        }) == "jvp: parameter weight is given twice");
  CHECK(message_of<TapeError>([&] { jacobian([](In) { return Variable(); }, {a}); }) ==
        "jacobian: the function returned an empty Variable");
  Tape tape;
  const Variable x = tape.watch(b), y = exp(x);
  CHECK(message_of<TapeError>([&] { tape.tangent({y}, {y}, {x}); }) ==
        "tangent: input 0 is no watched value or parameter of this tape");
  CHECK(message_of<ShapeError>([&] { tape.tangent({y}, {x}, {Variable(a)}); }) ==
        "tangent: direction 0 is (2, 3) but its input (3,)");
}

TEST_CASE("an operation that cannot be differentiated twice is named") {
  const Function f = [](In x) {
    return apply(
        "opaque", {x[0]}, Retain::inputs, x[0].shape(), x[0].dtype(),
        [](Inputs in, const Tensor& out) { copy(in[0], out); },
        [](Flow& flow) { flow.add(0, Variable(flow.gradient.value())); });
  };
  const Tensor x = random_tensor({3}, 1);
  CHECK(message_of<TapeError>([&] { jvp(f, {x}, {x}); }) ==
        "opaque: cannot be differentiated again: what it hands back to an input is not computed "
        "from its gradient with operations on Variables");
}

}  // namespace
}  // namespace hindsight::test
