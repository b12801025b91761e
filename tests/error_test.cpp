// Every refusal of the public interface, word for word: it names the operation, what it got and
// what it needs. (The tape's own are in tape_test, the optimizers' in optim_test.)
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

Variable value(const Shape& shape, DType dtype = DType::f32) {
  return Variable(Tensor::full(shape, 1, dtype));
}

template <class E, class F>
void refuses(const char* text, F&& f) {
  CHECK(message_of<E>(f) == std::string(text));
}

struct Nameless {
  template <class A, class B>
  auto value(const A& a, const B& b) const {
    return a + b;
  }
  template <class A, class B, class Y>
  One by_left(const A&, const B&, const Y&) const {
    return {};
  }
  template <class A, class B, class Y>
  One by_right(const A&, const B&, const Y&) const {
    return {};
  }
};

TEST_CASE("shapes, axes and tensors") {
  refuses<ShapeError>("shape: at most 6 axes are supported", [] { Shape{1, 1, 1, 1, 1, 1, 1}; });
  refuses<ShapeError>("shape: an axis of -1 elements; 0 to 2147483647 are supported", [] {
    Shape{2, -1};
  });
  refuses<ShapeError>("shape: an axis of 3000000000 elements; 0 to 2147483647 are supported",
                      [] { Shape{3000000000}; });
  refuses<IndexError>("axes: at most 6 can be named", [] { Axes{0, 1, 2, 3, 4, 5, 6}; });
  refuses<ShapeError>("Tensor::from: 3 values for shape (2, 2), which holds 4", [] {
    Tensor::from({1, 2, 3}, {2, 2});
  });
  const Tensor t = Tensor::zeros({2, 3});
  refuses<IndexError>("Tensor::at: position 6 in a tensor of 6 elements", [&] { t.at(6); });
  refuses<IndexError>("Tensor::set: position -1 in a tensor of 6 elements", [&] { t.set(-1, 0); });
  refuses<ShapeError>("item: a tensor of shape (2, 3); one element is needed", [&] { t.item(); });
  refuses<ShapeError>("Indices: 3 values for shape (2, 2), which holds 4", [] {
    Indices(std::vector<int>{1, 2, 3}, {2, 2});
  });
  const Indices indices(std::vector<int>{1, 2, 3, 4}, {2, 2});
  refuses<IndexError>("Indices: row 2 is out of range for shape (2, 2)", [&] { indices.row(2); });
  CHECK(Shape{5}.to_string() == "(5,)");
  CHECK(Shape{}.to_string() == "()");
  CHECK(Shape{2, 3}.to_string() == "(2, 3)");
}

TEST_CASE("elementwise expressions name the function where operands meet") {
  const Variable a = value({2, 3}), b = value({4}), wide = value({3}, DType::f64);
  const char* differ =
      ": shapes (2, 3) and (4,) do not broadcast: axis sizes 3 and 4 differ and neither is 1";
  const auto text = [&](const char* op) { return std::string(op) + differ; };
  CHECK(message_of<ShapeError>([&] { Variable(a + b); }) == text("add"));
  CHECK(message_of<ShapeError>([&] { Variable(a - b); }) == text("sub"));
  CHECK(message_of<ShapeError>([&] { Variable(a / b); }) == text("div"));
  CHECK(message_of<ShapeError>([&] { Variable(pow(a, b)); }) == text("pow"));
  CHECK(message_of<ShapeError>([&] { Variable(maximum(a, b)); }) == text("maximum"));
  CHECK(message_of<ShapeError>([&] { Variable(minimum(a, b)); }) == text("minimum"));
  CHECK(message_of<ShapeError>([&] { Variable(tanh(a + sigmoid(a * b)) - 2); }) == text("mul"));
  CHECK(message_of<ShapeError>([&] { Variable(exp(2 * a) / (3 - b)); }) == text("div"));
  CHECK(message_of<ShapeError>([&] { Variable(elementwise(Nameless{}, a, b)); }) ==
        text("elementwise"));
  refuses<DTypeError>("mul: float32 and float64 operands are mixed; convert one",
                      [&] { Variable(a + a * wide); });
  refuses<ShapeError>("chunk: the last axis of shape (2, 3) does not divide into 2 equal parts",
                      [&] { chunk<2>(a + a); });
  refuses<ShapeError>("chunk: the last axis of shape () does not divide into 2 equal parts",
                      [&] { chunk<2>(value({})); });
  refuses<ShapeError>(
      "add: shapes (2, 3) and (4,) do not broadcast: axis sizes 3 and 4 differ and neither is 1",
      [&] { chunk<2>(a + b); });
}

TEST_CASE("products") {
  refuses<ShapeError>("matmul: a is (3,) but b is (3, 2): both need at least two axes", [] {
    matmul(value({3}), value({3, 2}));
  });
  refuses<ShapeError>("matmul: a is (2, 3) but b is (4, 5): inner sizes must match", [] {
    matmul(value({2, 3}), value({4, 5}));
  });
  refuses<ShapeError>(
      "matmul: shapes (2,) and (3,) do not broadcast: axis sizes 2 and 3 differ and neither is 1",
      [] {
        matmul(value({2, 4, 5}), value({3, 5, 6}));
      });
  refuses<DTypeError>("matmul: float32 and float64 operands are mixed; convert one", [] {
    matmul(value({2, 3}), value({3, 2}, DType::f64));
  });
  refuses<OptionError>("blas::set_threads: 0 threads; at least 1 is needed",
                       [] { blas::set_threads(0); });
}

TEST_CASE("rearranging") {
  const Variable x = value({4, 3});
  refuses<IndexError>("slice: axis 2 is out of range for 2 axes", [&] { slice(x, 2, 0, 1); });
  refuses<IndexError>("slice: start 2, count 3, step 1 reach outside of axis 0 of shape (4, 3)",
                      [&] { slice(x, 0, 2, 3); });
  refuses<IndexError>("slice: start 0, count 3, step 2 reach outside of axis 0 of shape (4, 3)",
                      [&] { slice(x, 0, 0, 3, 2); });
  refuses<IndexError>("slice: start -1, count 1, step 1 reach outside of axis 1 of shape (4, 3)",
                      [&] { slice(x, -1, -1, 1); });
  refuses<IndexError>("slice: start 0, count 1, step 0 reach outside of axis 1 of shape (4, 3)",
                      [&] { slice(x, -1, 0, 1, 0); });
  refuses<IndexError>("operator[]: index 4 is out of range for shape (4, 3)", [&] { x[4]; });
  refuses<ShapeError>("operator[]: a scalar has no axis to index", [] { value({})[0]; });
  refuses<ShapeError>("permute: 1 axes given for shape (4, 3)", [&] { permute(x, {0}); });
  refuses<IndexError>("permute: axis 1 is named twice", [&] { permute(x, {1, -1}); });
  refuses<IndexError>("transpose: axis -2 is out of range for 1 axes",
                      [] { transpose(value({3})); });
  refuses<ShapeError>("reshape: shape (4, 3) holds 12 elements, (5, 2) holds 10", [&] {
    reshape(x, {5, 2});
  });
  refuses<ShapeError>("reshape: more than one size is -1", [&] { reshape(x, {-1, -1}); });
  refuses<ShapeError>("reshape: 12 elements of shape (4, 3) do not divide into groups of 5", [&] {
    reshape(x, {5, -1});
  });
  refuses<ShapeError>("squeeze: axis 0 of shape (4, 3) has 4 elements; 1 is needed",
                      [&] { squeeze(x, 0); });
  refuses<ShapeError>("squeeze: axis 0 of shape (0, 3) has 0 elements; 1 is needed", [] {
    squeeze(value({0, 3}), 0);
  });
  refuses<IndexError>("unsqueeze: axis 3 is out of range for 3 axes", [&] { unsqueeze(x, 3); });
  refuses<ShapeError>("broadcast_to: shape (4, 3) does not broadcast to (3,)",
                      [&] { broadcast_to(x, {3}); });
  refuses<ShapeError>("concat: no parts given", [] { concat({}, 0); });
  refuses<ShapeError>("concat: shapes (4, 3) and (4, 2) differ outside of axis 0", [&] {
    concat({x, value({4, 2})}, 0);
  });
  refuses<ShapeError>("concat: shapes (4, 3) and (4,) differ outside of axis 0", [&] {
    concat({x, value({4})}, 0);
  });
  refuses<DTypeError>("concat: float32 and float64 operands are mixed; convert one", [&] {
    concat({x, value({4, 3}, DType::f64)}, 0);
  });
  refuses<ShapeError>("stack: no parts given", [] { stack({}); });
  refuses<ShapeError>("stack: shapes (4, 3) and (3,) differ", [&] { stack({x, value({3})}); });
  refuses<DTypeError>("stack: float32 and float64 operands are mixed; convert one", [&] {
    stack({x, value({4, 3}, DType::f64)});
  });
  refuses<IndexError>("unstack: axis -3 is out of range for 2 axes", [&] { unstack(x, -3); });
  Sequence sequence(2);
  refuses<IndexError>("Sequence: step 2 of 2", [&] { sequence.put(2, x); });
  sequence.put(0, x);
  refuses<ShapeError>("Sequence: step 1 has shape (3,), the others (4, 3)",
                      [&] { sequence.put(1, value({3})); });
  refuses<DTypeError>("Sequence: float32 and float64 operands are mixed; convert one", [&] {
    sequence.put(1, value({4, 3}, DType::f64));
  });
}

TEST_CASE("reductions, losses, indices, dropout") {
  const Variable x = value({4, 3});
  refuses<IndexError>("sum: axis 2 is out of range for 2 axes", [&] { sum(x, {2}); });
  refuses<IndexError>("sum: axis -1 is named twice", [&] { sum(x, {1, -1}); });
  refuses<ShapeError>("mean: shape (0, 3) has no elements", [] { mean(value({0, 3})); });
  refuses<IndexError>("log_softmax: axis -3 is out of range for 2 axes",
                      [&] { log_softmax(x, -3); });
  refuses<ShapeError>("log_softmax: axis 1 of shape (4, 0) is empty", [] {
    log_softmax(value({4, 0}));
  });
  const Indices two(std::vector<int>{0, 1}), high(std::vector<int>{0, 1, 3, 1}),
      low(std::vector<int>{0, -1, 2, 1}), none(std::vector<int>{});
  refuses<ShapeError>(
      "cross_entropy: logits (4, 3) need targets of the same shape without the last axis, not (2,)",
      [&] { cross_entropy(x, two); });
  refuses<IndexError>("cross_entropy: target 3 at position 2 is outside of [0, 3)",
                      [&] { cross_entropy(x, high); });
  refuses<IndexError>("cross_entropy: target -1 at position 1 is outside of [0, 3)",
                      [&] { cross_entropy(x, low); });
  refuses<ShapeError>("cross_entropy: there are no targets", [&] {
    cross_entropy(value({0, 3}), none);
  });
  refuses<ShapeError>("take: the table is a scalar; it needs an axis to index",
                      [&] { take(value({}), two); });
  refuses<IndexError>("take: index 3 at position 2 is outside of [0, 3)", [&] {
    take(value({3, 2}), high);
  });
  refuses<IndexError>("scatter_rows: index 1 at position 1 is outside of [0, 1)", [&] {
    scatter_rows(value({2, 3}), two, 1);
  });
  refuses<ShapeError>("scatter_rows: values (4, 3) do not begin with the shape (2,) of the indices",
                      [&] { scatter_rows(x, two, 5); });
  Rng rng(1);
  refuses<OptionError>("dropout: rate 1 is outside of [0, 1)", [&] { dropout(x, 1, rng); });
  refuses<OptionError>("dropout: rate -0.5 is outside of [0, 1)", [&] { dropout(x, -0.5, rng); });
  refuses<OptionError>("dropout: rate nan is outside of [0, 1)", [&] { dropout(x, NAN, rng); });
}

TEST_CASE("the first operation that is not finite is named") {
  FiniteChecks checks;
  refuses<NonFiniteError>("log: produced -inf at position 1 of its output of shape (2,)", [] {
    Variable(log(Variable(Tensor::from({1, 0}, {2}))));
  });
  refuses<NonFiniteError>("div: produced inf at position 3 of its output of shape (2, 2)", [] {
    Variable(value({2, 2}) / Variable(Tensor::from({4, 2, 1, 0}, {2, 2})));
  });
  refuses<NonFiniteError>("matmul: produced inf at position 0 of its output of shape (1, 1)", [] {
    matmul(Variable(Tensor::full({1, 2}, 3e38)), value({2, 1}));
  });
  refuses<NonFiniteError>("sum: produced inf at position 0 of its output of shape ()",
                          [] { sum(Variable(Tensor::full({2}, 3e38))); });
  { FiniteChecks nested; }
  CHECK(finite_checks());
}

TEST_CASE("parameters and modules") {
  Parameter w("layer.w", Tensor::zeros({2, 3}));
  refuses<ShapeError>("parameter layer.w: a value of shape (3,) cannot replace one of shape (2, 3)",
                      [&] { w.assign(Tensor::zeros({3})); });
  Rng rng(1);
  refuses<OptionError>("Linear: 0 inputs and 2 outputs; at least 1 of each is needed",
                       [&] { nn::Linear({.outputs = 2}, rng); });
  refuses<OptionError>("Embedding: 3 symbols of width 0; at least 1 of each is needed",
                       [&] { nn::Embedding({.symbols = 3}, rng); });
  refuses<OptionError>("Dropout: rate 1 is outside of [0, 1)", [&] { nn::Dropout(1, rng); });
  refuses<ShapeError>("init::glorot: shape (3,); a matrix is needed",
                      [&] { nn::init::glorot({3}, rng); });
  refuses<ShapeError>("init::orthogonal: shape (3, 2, 1); a matrix is needed", [&] {
    nn::init::orthogonal({3, 2, 1}, rng);
  });
}

struct VectorCell : nn::Cell {
  Parameter u;
  Size hidden;
  VectorCell(Size, Size h, Rng& rng)
      : u(parameter("u", nn::init::orthogonal({h, h}, rng))), hidden(h) {}
  nn::State step(const Variable& x, const nn::State& s) const override {
    return {tanh(x + matmul(s[0], u))};
  }
  nn::Widths state_sizes() const override { return {hidden}; }
};

TEST_CASE("recurrent networks") {
  Rng rng(1);
  refuses<OptionError>("Recurrent: input 0, hidden 3, layers 1; each must be at least 1",
                       [&] { nn::Lstm({.hidden = 3}, rng); });
  refuses<OptionError>("Recurrent: input 2, hidden 3, layers 0; each must be at least 1",
                       [&] { nn::Lstm({.input = 2, .hidden = 3, .layers = 0}, rng); });
  refuses<OptionError>("Recurrent: dropout 1.5 is outside of [0, 1)",
                       [&] { nn::Lstm({.input = 2, .hidden = 3, .dropout = 1.5}, rng); });
  refuses<OptionError>("LstmCell: projection 3 is outside of [0, 3)", [&] {
    nn::Lstm({.input = 2, .hidden = 3}, rng, nn::LstmOptions{.projection = 3});
  });
  nn::Lstm lstm({.input = 2, .hidden = 3}, rng);
  const Variable x = value({4, 5, 2});
  refuses<ShapeError>(
      "Recurrent: inputs are (4, 2); (time, batch, 2) with at least one step is needed", [&] {
        lstm(value({4, 2}));
      });
  refuses<ShapeError>(
      "Recurrent: inputs are (4, 5, 3); (time, batch, 2) with at least one step is needed", [&] {
        lstm(value({4, 5, 3}));
      });
  refuses<ShapeError>(
      "Recurrent: inputs are (0, 5, 2); (time, batch, 2) with at least one step is needed", [&] {
        lstm(value({0, 5, 2}));
      });
  refuses<ShapeError>("Recurrent: symbols are (3,); (time, batch) with at least one step is needed",
                      [&] {
                        lstm(Indices(std::vector<int>{0, 1, 0}));
                      });
  refuses<IndexError>("take: index 2 at position 1 is outside of [0, 2)", [&] {
    lstm(Indices(std::vector<int>{0, 2}, {2, 1}));
  });
  refuses<ShapeError>("Recurrent: 2 lengths for a batch of 5", [&] {
    lstm(x, nn::UnrollOptions{{}, {1, 2}});
  });
  refuses<IndexError>("Recurrent: length 0 is outside of [1, 4]", [&] {
    lstm(x, nn::UnrollOptions{{}, {1, 2, 0, 4, 4}});
  });
  refuses<IndexError>("Recurrent: length 5 is outside of [1, 4]", [&] {
    lstm(x, nn::UnrollOptions{{}, {1, 2, 5, 4, 4}});
  });
  const nn::State state{value({5, 3}), value({5, 3})};
  refuses<ShapeError>("Recurrent: 2 initial states for 1 layers and directions", [&] {
    lstm(x, nn::States{state, state});
  });
  refuses<ShapeError>("Recurrent: initial state 0 has 1 parts; the cell carries 2", [&] {
    lstm(x, nn::States{{value({5, 3})}});
  });
  refuses<ShapeError>("Recurrent: part 1 of initial state 0 is (4, 3); (5, 3) is needed", [&] {
    lstm(x, nn::States{{value({5, 3}), value({4, 3})}});
  });
  refuses<DTypeError>("matmul: float64 and float32 operands are mixed; convert one", [&] {
    lstm(value({4, 5, 2}, DType::f64));
  });
  refuses<OptionError>("State: at most 4 parts are supported", [&] { nn::State{x, x, x, x, x}; });
  nn::Recurrent<VectorCell> vectors({.input = 3, .hidden = 3}, rng);
  refuses<Error>("Recurrent: this cell takes vectors, not symbols: embed them first", [&] {
    vectors(Indices(std::vector<int>{0, 1}, {2, 1}));
  });
}

}  // namespace
}  // namespace hindsight::test
