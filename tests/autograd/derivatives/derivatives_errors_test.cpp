// Messages of the derivative calls for bad input.
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
        "tangent: input 0 is not a whole watched value or parameter of this tape");
  CHECK(message_of<ShapeError>([&] { tape.tangent({y}, {x}, {Variable(a)}); }) ==
        "tangent: direction 0 has shape (2, 3) but its input has shape (3,)");
}

TEST_CASE("an operation that cannot be differentiated twice is named") {
  const Function f = [](In x) {
    return apply(
        "opaque", {x[0]}, Save::inputs, x[0].shape(), x[0].dtype(),
        [](Inputs in, const Tensor& out) { copy(in[0], out); },
        [](BackwardContext& ctx) { ctx.add(0, Variable(ctx.gradient.value())); });
  };
  const Tensor x = random_tensor({3}, 1);
  CHECK(message_of<TapeError>([&] { jvp(f, {x}, {x}); }) ==
        "opaque: cannot be differentiated again: the gradient it adds to an input is not computed "
        "from its output's gradient with operations on Variables");
  // In a recorded sweep too, first or last on the tape.
  for (const bool last : {false, true}) {
    Tape tape;
    const Variable in = tape.watch(x), y = f({in}), loss = last ? sum(y) : sum(square(y));
    CHECK(message_of<TapeError>([&] {
            tape.gradient(loss, {in}, {.create_graph = true});
          }).find("opaque: cannot be differentiated again") == 0);
    const Variable weight(Tensor::full({3}, 1, DType::f64));
    CHECK(message_of<TapeError>([&] {
            tape.gradient({y}, {in}, {.cotangents = {weight}, .create_graph = true});
          }).find("opaque: cannot be differentiated again") == 0);
    CHECK(same_bits(tape.gradient({y}, {in}, {.cotangents = {weight}})[0].value(), weight.value()));
  }
}

TEST_CASE("invalid inputs of a tangent are named") {
  Tape tape;
  const Variable x = tape.watch(Tensor::full({3}, 2)), one(Tensor::full({3}, 1));
  CHECK(message_of<TapeError>([&] {
          tape.tangent({x}, {x, x}, {one, one});
        }) == "tangent: inputs 0 and 1 are the same");
  Sequence sequence(2);
  sequence.put(0, one);
  sequence.put(1, x);
  const Variable all = sequence.values(), sevens(Tensor::full({2, 3}, 7));
  CHECK(message_of<TapeError>([&] { tape.tangent({all}, {all}, {sevens}); }) ==
        "tangent: input 0 is not a whole watched value or parameter of this tape");
  CHECK(message_of<TapeError>([&] {
          tape.gradient(sum(x), {x, one});
        }) == "gradient: input 1 is not recorded on this tape");
  const Parameter w("w", Tensor::full({3}, 1));
  CHECK(message_of<TapeError>([&] {
          tape.gradient(sum(x), {x, w}, {.throw_if_unused = true});
        }) == "gradient: no output depends on input 1, the parameter w");
}

TEST_CASE("a tangent of one factor alone can be traced") {
  Tape tape;
  const Variable x = tape.watch(Tensor::full({3}, 2)), constant(Tensor::full({3}, 3));
  const Variable y = x * constant;
  const Variable along(Tensor::full({3}, 1));
  const Variable moved = tape.tangent({y}, {x}, {along}, {.create_graph = true})[0];
  CHECK(trace(tape).to_string().find("mul") != std::string::npos);
  CHECK(to_dot(moved).find("digraph") != std::string::npos);
  const FiniteChecks checks;
  const Variable endless(Tensor::full({3}, INFINITY));
  CHECK(message_of<NonFiniteError>([&] {
          tape.tangent({y}, {x}, {endless});
        }).find("mul: produced inf at [0]") == 0);
  const Variable m = tape.watch(Tensor::full({2, 2}, 1));
  const Variable infinite(Tensor::full({2, 2}, INFINITY));
  CHECK(message_of<NonFiniteError>([&] {
          tape.tangent({matmul(m, m)}, {m}, {infinite});
        }).find("matmul: produced inf at [0, 0]") == 0);
}

TEST_CASE("tangents that are not held release their memory") {
  Tape tape;
  const Variable x = tape.watch(random_tensor({50, 50}, 1)), along(random_tensor({50, 50}, 2));
  const Variable y = softmax(x * 2);
  tape.tangent({y}, {x}, {along});
  const std::int64_t before = pool::statistics().bytes_in_use;
  for (int i = 0; i < 5; ++i) tape.tangent({y}, {x}, {along});
  CHECK(pool::statistics().bytes_in_use == before);
}

TEST_CASE("the result of a product has its own memory") {
  const Parameter p("p", Tensor::full({2}, 1));
  const JvpResult moved = jvp([&] { return Variable(p); }, {p}, {Tensor::full({2}, 3)});
  moved.value.set(0, 99);
  CHECK(p.value().at(0) == 1);
}

}  // namespace
}  // namespace hindsight::test
