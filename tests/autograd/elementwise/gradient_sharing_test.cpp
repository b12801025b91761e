// Gradients that share memory: addends get the same gradient, which is written once. A contribution
// to one of them must not show in the other. Also: products with padded rows.
#include <hindsight/nn/lstm.h>
#include <hindsight/nn/rnn.h>
#include <hindsight/optim/optim.h>

#include "support.h"

namespace hindsight::test {
namespace {

// A value that is not a leaf, so that its gradient belongs to the sweep.
Variable own(const Variable& x) { return Variable(2.0 * x); }

// The sizes are large enough for gradients to be shared.
TEST_CASE("addends share a gradient") {
  run({
      {"two", [](In x) { return tanh(own(x[0]) + own(x[1])); }, {{33, 65}, {33, 65}}},
      {"three",
       [](In x) { return tanh(own(x[0]) + own(x[1]) + own(x[2])); },
       {{33, 65}, {33, 65}, {33, 65}}},
      {"with a bias",
       [](In x) { return tanh(x[2] + own(x[0]) + own(x[1])); },
       {{33, 65}, {33, 65}, {65}}},
      {"scalars",
       [](In x) { return unsqueeze(sum(x[0]), 0) + unsqueeze(sum(x[1]), 0); },
       {{3}, {4}}},
      {"chunks of two values",
       [](In x) {
         const auto [a, b] = chunk<2>(own(x[0]) + own(x[1]));
         return sigmoid(a) * tanh(b);
       },
       {{33, 130}, {33, 130}}},
      {"chunks, computed apart",
       [](In x) {
         const Variable p = own(x[0]), q = own(x[1]);
         const auto [a, b] = chunk<2>(p + q);
         const Variable c = tanh(a);
         return c * sigmoid(b);
       },
       {{33, 130}, {33, 130}}},
      {"two lenders for one value",
       [](In x) {
         const Variable p = own(x[0]), q = own(x[1]), n = own(x[2]);
         return tanh(chunk<2>(p)[0] + chunk<2>(n)[0]) * sigmoid(chunk<2>(q)[1] + chunk<2>(n)[1]);
       },
       {{33, 130}, {33, 130}, {33, 130}}},
      {"a step of a sequence is the lender",
       [](In x) {
         const Variable steps = own(x[0]);
         return tanh(steps[1] + own(x[1])) * sigmoid(own(x[2]) + steps[0]);
       },
       {{2, 33, 65}, {33, 65}, {33, 65}}},
      {"a value that is a lender here and a borrower there",
       [](In x) {
         const Variable steps = own(x[0]), halves = own(x[1]);
         const auto [a, b] = chunk<2>(halves);
         return tanh(a + own(x[2])) * sigmoid(chunk<2>(steps[1])[1] + b);
       },
       {{2, 33, 130}, {33, 130}, {33, 65}}},
  });
}

TEST_CASE("a shared gradient that receives another contribution") {
  run({
      {"to the lender, before",
       [](In x) {
         const Variable p = own(x[0]), q = own(x[1]);
         const Variable other = square(p);
         return tanh(p + q) * other;
       },
       {{33, 65}, {33, 65}}},
      {"to the borrower, before",
       [](In x) {
         const Variable p = own(x[0]), q = own(x[1]);
         const Variable other = square(q);
         return tanh(p + q) * other;
       },
       {{33, 65}, {33, 65}}},
      {"to both",
       [](In x) {
         const Variable p = own(x[0]), q = own(x[1]);
         const Variable other = square(q) * p;
         return tanh(p + q) * other;
       },
       {{33, 65}, {33, 65}}},
      {"to the lender, after",
       [](In x) {
         const Variable p = own(x[0]), q = own(x[1]);
         const Variable y = tanh(p + q);
         return y * square(p);
       },
       {{33, 65}, {33, 65}}},
      {"to the lender in the same expression",
       [](In x) {
         const Variable p = own(x[0]), q = own(x[1]);
         return tanh(p + q) * p;
       },
       {{33, 65}, {33, 65}}},
      {"the borrower is computed from the lender",
       [](In x) {
         const Variable p = own(x[0]);
         const Variable q = square(p);
         return tanh(p + q);
       },
       {{33, 65}}},
      {"the product is of the lender",
       [](In x) {
         const Variable p = own(x[0]);
         const Variable q = matmul(p, x[1]);
         return tanh(p + q);
       },
       {{33, 65}, {65, 65}}},
      {"one part of the borrower only",
       [](In x) {
         const Variable p = own(x[0]), q = own(x[1]);
         const Variable n = square(chunk<2>(q)[0]);
         const Variable y = tanh(chunk<2>(p)[1] + chunk<2>(q)[1]);
         return n * y;
       },
       {{33, 130}, {33, 130}}},
      {"all of the borrower is read at the end",
       [](In x) {
         const Variable p = own(x[0]);
         const Variable q = exp(own(x[1]));
         return tanh(chunk<2>(p)[0] + chunk<2>(q)[0]);
       },
       {{33, 130}, {33, 130}}},
      {"to a value that was put into a sequence, which lends",
       [](In x) {
         const Variable p = own(x[0]), q = own(x[1]), other = square(p);
         Sequence steps(1);
         const Variable step = steps.put(0, p);
         const Variable y = tanh(step + q);
         return y * other;
       },
       {{33, 65}, {33, 65}}},
      {"residual steps",
       [](In x) {
         Sequence steps(4);
         Variable h = own(x[0]);
         for (Size t = 0; t < 4; ++t) h = steps.put(t, Variable(h + matmul(tanh(h), x[1])));
         return h;
       },
       {{33, 65}, {65, 65}}},
      {"residual steps, all of them used",
       [](In x) {
         Sequence steps(4);
         Variable h = own(x[0]);
         for (Size t = 0; t < 4; ++t) h = steps.put(t, Variable(matmul(tanh(h), x[1]) + h));
         return steps.values();
       },
       {{33, 65}, {65, 65}}},
  });
}

TEST_CASE("gradients that the caller receives do not share memory") {
  Tape tape;
  const Variable a = tape.watch(random_tensor({33, 65}, 1)),
                 b = tape.watch(random_tensor({33, 65}, 2));
  const auto g = tape.gradient(sum(tanh(a + b)), {a, b});
  CHECK(same_bits(g[0].value(), g[1].value()));
  CHECK(!(g[0].value().buffer() == g[1].value().buffer()));
}

// Deferred weight gradients read shared memory: a later contribution to it must not reach them.
TEST_CASE("weights whose products share their gradient with the input") {
  struct Cell : nn::Cell {
    Parameter w, u;
    explicit Cell(Size input, Size hidden, Rng& rng)
        : w(parameter("w", nn::init::uniform({input, hidden}, 0.5, rng))),
          u(parameter("u", nn::init::uniform({hidden, hidden}, 0.5, rng))) {}
    Variable project(const Variable& x) const override { return matmul(x, w); }
    nn::State step(const Variable& px, const nn::State& s) const override {
      const Variable early = 0.3 * px;  // recorded first, so swept after the sum below
      const Variable h = tanh(matmul(s[0], u) + px);
      return {Variable(h + early)};
    }
    nn::Widths state_sizes() const override { return {u.shape()[1]}; }
  };
  Rng rng(3);
  nn::Recurrent<Cell> network({.input = 3, .hidden = 65}, rng);
  network.to(DType::f64);
  const Function f = [&](In x) { return network(x[0]).outputs; };
  check_both_orders(f, {random_tensor({4, 33, 3}, 4)}, network.parameters());
  check_float_like_double(f, {random_tensor({4, 33, 3}, 4)}, network.parameters());
}

TEST_CASE("rows of a multiple of 4096 bytes are padded") {
  const Variable x(random_tensor({3, 4}, 1)), w(random_tensor({4, 512}, 2));
  const Variable y = matmul(x, w);
  CHECK(y.shape() == Shape{3, 512});
  CHECK(y.layout().stride(0) == 520);
  CHECK(matmul(x, Variable(random_tensor({4, 511}, 2))).layout().stride(0) == 511);
  CHECK(reshape(y, {1, 3, 512}).node() == y.node());
  run({
      {"product", [](In v) { return tanh(matmul(v[0], v[1])); }, {{3, 2}, {2, 512}}},
      {"product of products",
       [](In v) { return matmul(matmul(v[0], v[1]), v[2]); },
       {{2, 2}, {2, 512}, {512, 1}}},
      {"product at every step",
       [](In v) { return tanh(chunk<2>(matmul(v[0], v[1])[1])[0]); },
       {{2, 2, 2}, {2, 512}}},
      {"rows of a table",
       [](In v) {
         return square(take(v[0], Indices(std::vector<std::int64_t>{1, 0, 1}, {3})));
       },
       {{2, 512}}},
  });
}

/// In double the rows of these networks' products are padded, in float32 they are not. Both must
/// agree, and so must one block of rows and several.
TEST_CASE("networks with padded rows") {
  Rng rng(5);
  nn::Rnn rnn({.input = 3, .hidden = 512}, rng);
  nn::Lstm lstm({.input = 3, .hidden = 128}, rng);
  rnn.to(DType::f64);
  lstm.to(DType::f64);
  for (const Size batch : {1, 2, 70}) {
    CAPTURE(batch);
    const std::vector<Tensor> inputs{random_tensor({12, batch, 3}, 6)};
    check_float_like_double([&](In x) { return rnn(x[0]).outputs; }, inputs, rnn.parameters());
    check_float_like_double([&](In x) { return lstm(x[0]).outputs; }, inputs, lstm.parameters());
  }
  const Indices symbols(std::vector<std::int64_t>{0, 2, 1, 1, 2, 0}, {3, 2});
  check_float_like_double([&](In x) { return lstm(symbols).outputs * x[0]; },
                          {random_tensor({3, 2, 128}, 7)}, lstm.parameters());
}

}  // namespace
}  // namespace hindsight::test
