// A batch without rows, and other values without elements: results for each row have no rows
// either, sums are 0, and only reductions that need an element (means, extremes) are errors.
// Gradients have the inputs' shapes and are zero for parameters.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

Tensor tensor(const Shape& shape) { return Tensor::full(shape, 0.5); }
Variable value(const Shape& shape) { return Variable(tensor(shape)); }

/// f's value for an input of `shape`; its gradient has that shape, whatever its value.
Tensor value_of(const Shape& shape, const std::function<Variable(const Variable&)>& f) {
  const Derivatives of_f = derivatives([&](In x) { return f(x[0]); }, {tensor(shape)});
  CHECK(of_f.gradients[0].shape() == shape);
  CHECK(of_f.gradients[0].to_vector() ==
        std::vector<double>(static_cast<std::size_t>(shape.elements()), 0));
  return of_f.value;
}

using Reduce = Variable (*)(const Variable&, const Axes&, KeepDims);

TEST_CASE("reductions over axes that have elements") {
  for (const Reduce reduce : {Reduce(sum), Reduce(mean), Reduce(var), Reduce(max), Reduce(min),
                              Reduce(prod), Reduce(norm), Reduce(logsumexp)}) {
    const auto over = [&](const Axes& axes, KeepDims keep) {
      return [=](const Variable& x) { return reduce(x, axes, keep); };
    };
    CHECK(value_of({0, 5}, over({-1}, KeepDims::no)).shape() == Shape{0});
    CHECK(value_of({0, 5}, over({-1}, KeepDims::yes)).shape() == Shape{0, 1});
    CHECK(value_of({3, 0, 5}, over({0, 2}, KeepDims::no)).shape() == Shape{0});
    CHECK(value_of({0, 0}, over({1}, KeepDims::no)).shape() == Shape{0});
  }
  CHECK(argmax(value({0, 5}), 1).shape() == Shape{0});
  CHECK(argmax(value({0, 0}), 1).shape() == Shape{0});
}

TEST_CASE("reductions over no elements") {
  const auto text = [](auto&& use) { return message_of<ShapeError>(use); };
  const Variable none = value({0, 5});
  CHECK(text([&] { mean(none); }) == "mean: shape (0, 5) has no elements");
  CHECK(text([&] { mean(none, {0}); }) == "mean: shape (0, 5) has no elements");
  CHECK(text([&] { var(none, {0}, KeepDims::yes); }) == "var: shape (0, 5) has no elements");
  CHECK(text([&] { max(none, {0}); }) == "max: shape (0, 5) has no elements to choose from");
  CHECK(text([&] { argmax(none, 0); }) == "argmax: axis 0 of shape (0, 5) is empty");
}

TEST_CASE("normalization") {
  CHECK(value_of({0, 5}, [](const Variable& x) { return softmax(x); }).shape() == Shape{0, 5});
  CHECK(value_of({0, 5}, [](const Variable& x) { return log_softmax(x); }).shape() == Shape{0, 5});
  const auto normalized = [](const Variable& x) { return layer_norm(x, value({5}), value({5})); };
  CHECK(value_of({0, 5}, normalized).shape() == Shape{0, 5});
  CHECK(value_of({2, 0, 5}, normalized).shape() == Shape{2, 0, 5});
}

TEST_CASE("losses of numbers") {
  using Loss = Variable (*)(const Variable&, const Variable&, Reduction);
  const std::vector<std::pair<std::string, Loss>> losses = {
      {"mse_loss", [](const Variable& p, const Variable& t,
                      Reduction r) { return mse_loss(p, t, {.reduction = r}); }},
      {"l1_loss", [](const Variable& p, const Variable& t,
                     Reduction r) { return l1_loss(p, t, {.reduction = r}); }},
      {"huber_loss", [](const Variable& p, const Variable& t,
                        Reduction r) { return huber_loss(p, t, {.reduction = r}); }},
      {"smooth_l1_loss", [](const Variable& p, const Variable& t,
                            Reduction r) { return smooth_l1_loss(p, t, {.reduction = r}); }},
      {"bce_with_logits", [](const Variable& p, const Variable& t, Reduction r) {
         return bce_with_logits(p, t, {.reduction = r});
       }}};
  for (const auto& [name, loss] : losses) {
    const auto of = [&, f = loss](Reduction reduction) {
      return value_of({0, 5}, [&](const Variable& x) { return f(x, value({0, 5}), reduction); });
    };
    CHECK(of(Reduction::none).shape() == Shape{0, 5});
    CHECK(of(Reduction::sum).item() == 0);
    CHECK(message_of<ShapeError>([&] { of(Reduction::mean); }) ==
          name + ": shape (0, 5) has no elements");
  }
}

TEST_CASE("losses of classes") {
  const Indices none(Shape{0});
  for (const double smoothing : {0.0, 0.1}) {
    for (const Tensor& weight : {Tensor(), tensor({5})}) {
      const auto of = [&](Reduction reduction) {
        return value_of({0, 5}, [&](const Variable& x) {
          return cross_entropy(
              x, none, {.reduction = reduction, .weight = weight, .label_smoothing = smoothing});
        });
      };
      CHECK(of(Reduction::none).shape() == Shape{0});
      CHECK(of(Reduction::sum).item() == 0);
      CHECK(message_of<ShapeError>([&] { of(Reduction::mean); }) ==
            "cross_entropy: there are no targets");
    }
  }
  const auto of = [&](Reduction reduction) {
    return value_of({0, 5},
                    [&](const Variable& x) { return nll_loss(x, none, {.reduction = reduction}); });
  };
  CHECK(of(Reduction::none).shape() == Shape{0});
  CHECK(of(Reduction::sum).item() == 0);
  CHECK(message_of<ShapeError>([&] { of(Reduction::mean); }) == "nll_loss: there are no targets");
}

TEST_CASE("ctc_loss") {
  const auto of = [&](Reduction reduction) {
    return value_of({4, 0, 3}, [&](const Variable& x) {
      return ctc_loss(x, Indices(Shape{0, 2}), {.reduction = reduction});
    });
  };
  CHECK(of(Reduction::none).shape() == Shape{0});
  CHECK(of(Reduction::sum).item() == 0);
  CHECK(message_of<ShapeError>([&] { of(Reduction::mean); }) == "ctc_loss: there are no targets");
  for (const Shape& shape : {Shape{0, 2, 3}, Shape{4, 2, 0}}) {
    CHECK(message_of<ShapeError>([&] {
            ctc_loss(value(shape), Indices(Shape{2, 1}));
          }).find("(T, B, C) and (B, S) are needed") != std::string::npos);
  }
}

TEST_CASE("networks") {
  Rng rng(1);
  nn::Lstm lstm({.input = 2, .hidden = 3, .layers = 2, .bidirectional = true}, rng);
  nn::Linear readout({.inputs = 6, .outputs = 4}, rng);
  for (const Size every : {0, 2}) {
    Tape tape;
    const nn::Unrolled unrolled = lstm(value({5, 0, 2}), {.checkpoint_every = every});
    CHECK(unrolled.outputs.shape() == Shape{5, 0, 6});
    const Variable logits = readout(unrolled.outputs);
    tape.backward(cross_entropy(logits, Indices(Shape{5, 0}), {.reduction = Reduction::sum}));
    for (const Parameter& parameter : lstm.parameters()) {
      CHECK(parameter.gradient().to_vector() ==
            std::vector<double>(static_cast<std::size_t>(parameter.shape().elements()), 0));
    }
  }
  CHECK(lstm(Indices(Shape{5, 0})).outputs.shape() == Shape{5, 0, 6});
}

TEST_CASE("operations on no elements") {
  for (const Shape& shape : {Shape{0}, Shape{0, 3}, Shape{3, 0}, Shape{2, 0, 5}}) {
    Tape tape;
    const Variable x = tape.watch(Tensor(shape, DType::f64));
    const Variable y = tanh(x * 2) + sum(x);
    CHECK(y.shape() == shape);
    CHECK(sum(y).item() == 0);
    CHECK(reshape(transpose(concat({reshape(x, {0, 2}), reshape(y, {0, 2})}, 0)), {0}).shape() ==
          Shape{0});
    CHECK(tape.gradient(sum(y), {x})[0].shape() == shape);
    tape.backward(sum(y));
  }
  CHECK(matmul(Variable(Tensor({2, 0}, DType::f32)), Variable(Tensor({0, 3}, DType::f32)))
            .value()
            .to_vector() == std::vector<double>(6, 0.0));
  CHECK(sum(Variable(Tensor({0, 3}, DType::f32)), {0}).value().to_vector() ==
        std::vector<double>(3, 0.0));
  CHECK(take(Variable(Tensor({4, 3}, DType::f32)), Indices(std::vector<int>{})).shape() ==
        Shape{0, 3});
  CHECK(cross_entropy(Variable(Tensor({0, 3}, DType::f32)), Indices(std::vector<int>{}),
                      {.reduction = Reduction::sum})
            .item() == 0);
  const auto product_of = [](const Shape& a, const Shape& b) {
    return matmul(Variable(Tensor(a, DType::f32)), Variable(Tensor(b, DType::f32)));
  };
  CHECK(product_of({2, 3, 0}, {0, 4}).value().to_vector() == std::vector<double>(24, 0.0));
  CHECK(product_of({2, 0, 3}, {3, 4}).shape() == Shape{2, 0, 4});
  CHECK(product_of({2, 3, 4}, {4, 0}).shape() == Shape{2, 3, 0});
  // A product with the inner size 0 has gradients too: zeros.
  Tape tape;
  const Variable a = tape.watch(Tensor::full({2, 3}, 1)),
                 b = tape.watch(Tensor({3, 0}, DType::f32));
  const std::vector<Variable> g = tape.gradient(sum(matmul(a, b)), {a, b});
  CHECK(g[0].value().to_vector() == std::vector<double>(6, 0.0));
  CHECK(g[1].shape() == Shape{3, 0});
}

}  // namespace
}  // namespace hindsight::test
