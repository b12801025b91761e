// The search for the operation to blame reruns each operation with one of its inputs perturbed, so
// its forward function must read nothing but its inputs. Operations on the tape before a mistake
// must not be blamed. (The gradient table checks the same for every operation: support.h.) State
// that is carried wrongly fails the check although each operation is right.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

/// Checks that the planted function is blamed and nothing before it.
void check_blames_planted(const Function& f, const std::vector<Tensor>& inputs,
                          const std::vector<Parameter>& parameters = {},
                          const CheckOptions& options = {}) {
  const CheckReport report = check_gradients(
      [&](In x) { return Variable(elementwise(Doubled{}, f(x))); }, inputs, parameters, options);
  INFO(report.to_string());
  CHECK(!report.passed);
  REQUIRE(report.culprit.has_value());
  CHECK(report.culprit->operation == "doubled");
}

TEST_CASE("rows taken from a table before a mistake") {
  const Indices rows(std::vector<int>{2, 0, 2, 1}, {2, 2});
  const Parameter w("w", random_tensor({4, 3}, 1));
  const auto all = [](const Variable& y) { return sum(y * y); };
  check_blames_planted([&](In) { return all(take(w, rows)); }, {}, {w});
  check_blames_planted([&](In) { return all(take(transpose(Variable(w)), rows)); }, {}, {w});
  check_blames_planted([&](In x) { return all(take(tanh(x[0]), rows)); },
                       {random_tensor({3, 2}, 2)});
  check_blames_planted([&](In x) { return all(take(transpose(x[0]), rows)); },
                       {random_tensor({2, 3}, 2)});
  check_blames_planted(
      [&](In x) {
        return all(reverse_sequence(x[0], {3, 1}));
      },
      {random_tensor({3, 2, 2}, 2)});
}

TEST_CASE("symbols and embeddings before a mistake") {
  Rng rng(1);
  const Indices symbols(std::vector<int>{2, 0, 2, 1, 1, 0}, {3, 2});
  nn::Lstm lstm({.input = 3, .hidden = 4}, rng);
  const auto unrolled = [&](In) { return sum(square(lstm(symbols).outputs)); };
  check_blames_planted(unrolled, {}, lstm.parameters(), {.elements = 10});
  check_blames_planted(unrolled, {}, lstm.parameters(), {.second_order = true, .fast = true});
  const nn::Embedding embedding({.symbols = 3, .width = 4}, rng);
  check_blames_planted([&](In) { return sum(square(embedding(symbols))); }, {},
                       embedding.parameters());
}

TEST_CASE("a tangent before a mistake") {
  // When the check evaluates values there is no tape: the function makes its own.
  const auto slope_along = [](const Variable& x) {
    std::optional<Tape> own;
    if (!Tape::current()) own.emplace();
    Tape& tape = *Tape::current();
    const Variable at = own ? tape.watch(x.value()) : x;
    const Variable y = exp(tanh(at) * sigmoid(at * at)),
                   ones(Tensor::full(x.shape(), 1, x.dtype()));
    const Variable slope = tape.tangent({y}, {at}, {ones}, {.create_graph = true})[0];
    return own ? slope.detach() : slope;
  };
  check_blames_planted([&](In x) { return sum(slope_along(x[0])); }, {random_tensor({3, 2}, 2)});
  check_blames_planted([&](In x) { return sum(slope_along(x[0])); }, {random_tensor({2, 3}, 2)}, {},
                       {.fast = true});
}

TEST_CASE("a hook before a mistake that computes another gradient of the same tape") {
  const Function looking = [](In in) {
    const Variable x = tanh(in[0]);
    if (!x.recorded()) return Variable(sum(x * x));
    const Variable y = sum(square(x));
    Tape* const tape = Tape::current();
    return Variable(sum(x * hook_gradient(x, [=](const Variable&) { tape->gradient(y, {x}); })));
  };
  check_blames_planted(looking, {random_tensor({3}, 1)});
  const Parameter w("w", random_tensor({3}, 2));
  check_blames_planted([&](In) { return looking({Variable(w) * w}); }, {}, {w});
}

TEST_CASE("state that is carried wrongly") {
  const Parameter u("u", random_tensor({4, 4}, 5));
  const auto unrolled = [&](const std::function<Variable(const Variable&)>& carry) {
    return [&u, carry](In x) {
      const Scope model("model");
      Variable h = Variable(Tensor::zeros({2, 4}, DType::f64)), total;
      for (Size t = 0; t < 3; ++t) {
        const Scope step(TimeStep{t});
        h = tanh(x[0][t] + matmul(carry(h), u));
        total = total ? Variable(total + h) : h;
      }
      return total;
    };
  };
  const std::vector<Tensor> x{random_tensor({3, 2, 4}, 1)};
  CHECK(check_gradients(unrolled([](const Variable& h) { return h; }), x, {u}).passed);
  // Detached at every step: the first step whose state depends on a leaf is named.
  const CheckReport cut =
      check_gradients(unrolled([](const Variable& h) { return h.detach(); }), x, {u});
  INFO(cut.to_string());
  CHECK(!cut.passed);
  REQUIRE(cut.culprit.has_value());
  CHECK(cut.culprit->kind == Culprit::Kind::constant);
  CHECK(cut.culprit->operation == "matmul");
  CHECK(cut.culprit->time_step == 1);
  CHECK(cut.culprit->input == "the result of tanh (model, time step 0)");
  const CheckReport copied = check_gradients(
      unrolled([](const Variable& h) { return Variable(h.value().contiguous_copy()); }), x, {u});
  CHECK(copied.culprit.has_value());
  CHECK(copied.cause == cut.cause);
  // If the detached value is transformed first, all that is recorded is right.
  const CheckReport computed =
      check_gradients(unrolled([](const Variable& h) { return Variable(2 * h.detach()); }), x, {u});
  CHECK(!computed.passed);
  CHECK(!computed.culprit.has_value());
  CHECK(computed.cause.find("each operation passes in isolation (") == 0);
  // Carried from one call to the next.
  Variable kept(Tensor::zeros({2, 4}, DType::f64));
  const CheckReport carried = check_gradients(
      [&](In in) {
        const Variable h = tanh(in[0][0] + matmul(kept, u));
        kept = h.detach();
        return h;
      },
      x, {u});
  CHECK(!carried.passed);
  CHECK(carried.checked == 0);
  CHECK(carried.cause.find("carries state from call to call") != std::string::npos);
}

std::int64_t held_by(const std::function<Variable()>& f, Variable* result) {
  const std::int64_t before = pool::statistics().bytes_in_use;
  *result = f();
  return pool::statistics().bytes_in_use - before;
}

TEST_CASE("a table is not saved for the rows that were taken from it") {
  const Indices rows(std::vector<int>{5, 0, 5});
  const Tensor values = random_tensor({1000, 256}, 1, DType::f32);
  Tape tape;
  const Variable x = tape.watch(values);
  Variable taken;
  CHECK(held_by([&] { return take(2 * x, rows); }, &taken) < 64 << 10);
  // It is recomputed when a recorded sweep needs it.
  const Variable g = tape.gradient(sum(taken * taken), {x}, {.create_graph = true})[0];
  CHECK(g.value().at(5 * 256) == doctest::Approx(16 * values.at(5 * 256)));  // taken twice
  const Variable again = tape.gradient(sum(g * g), {x})[0];
  CHECK(again.value().at(5 * 256) != 0);
  CHECK(again.value().at(1 * 256) == 0);
}

TEST_CASE("the operation that first produces a NaN is named, forward and backward") {
  const Function f = [](In x) {
    const Scope step(TimeStep{3});
    return sum(sqrt(x[0]));
  };
  const CheckReport forward = check_gradients(f, {Tensor::from({1, -1, 4}, {3}, DType::f64)});
  INFO(forward.cause);
  CHECK(forward.checked == 0);
  CHECK(forward.cause.find("the function's value is nan; the first operation to produce one: sqrt: "
                           "produced ") == 0);  // what follows may have a sign
  CHECK(forward.cause.find("nan at [1] of its output") != std::string::npos);
  CHECK(forward.cause.find("in time step 3") != std::string::npos);
  const Function g = [](In x) { return sum(sqrt(square(x[0])) * 0.0); };
  const CheckReport backward = check_gradients(g, {Tensor::from({2, 0}, {2}, DType::f64)});
  INFO(backward.cause);
  CHECK(!backward.passed);
  CHECK(backward.tensors[0].failures[0].kind == CheckedElement::Kind::not_finite);
  CHECK(backward.cause.find("in backward, the gradient of input 0 has ") != std::string::npos);
  CHECK(backward.cause.find("nan at [1]") != std::string::npos);
}

}  // namespace
}  // namespace hindsight::test
