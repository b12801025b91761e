// Every error message of the public interface, word for word: it names the operation, what it got
// and what it needs. Others are in operation_errors_test, nn_errors_test, tape_test and optim_test.
#include "errors.h"

#include <hindsight/autograd/autograd.h>

namespace hindsight::test {
namespace {

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
  rejects<ShapeError>("shape: at most 6 axes are supported", [] { Shape{1, 1, 1, 1, 1, 1, 1}; });
  rejects<ShapeError>("shape: an axis of -1 elements; 0 to 2147483647 are supported", [] {
    Shape{2, -1};
  });
  rejects<ShapeError>("shape: an axis of 3000000000 elements; 0 to 2147483647 are supported",
                      [] { Shape{3000000000}; });
  rejects<IndexError>("axes: at most 6 are supported", [] { Axes{0, 1, 2, 3, 4, 5, 6}; });
  rejects<ShapeError>("Tensor::from: 3 values for shape (2, 2), which holds 4", [] {
    Tensor::from({1, 2, 3}, {2, 2});
  });
  const Tensor t = Tensor::zeros({2, 3});
  rejects<IndexError>("Tensor::at: position 6 in a tensor of 6 elements", [&] { t.at(6); });
  rejects<IndexError>("Tensor::set: position -1 in a tensor of 6 elements", [&] { t.set(-1, 0); });
  rejects<ShapeError>("item: a tensor of shape (2, 3); one element is needed", [&] { t.item(); });
  rejects<ShapeError>("Indices: 3 values for shape (2, 2), which holds 4", [] {
    Indices(std::vector<int>{1, 2, 3}, {2, 2});
  });
  const Indices indices(std::vector<int>{1, 2, 3, 4}, {2, 2});
  rejects<IndexError>("Indices: row 2 is out of range for shape (2, 2)", [&] { indices.row(2); });
  const char* too_large =
      ": at most 2147483647 elements from the second axis on, and 2^50 in all, are supported";
  const auto text = [&](const char* shape) { return std::string("shape ") + shape + too_large; };
  CHECK(message_of<ShapeError>([] {
          Layout(Shape{2, 60000, 60000});
        }) == text("(2, 60000, 60000)"));
  CHECK(message_of<ShapeError>([] {
          Tensor({3, 2, 2000000000, 2000000000, 1, 1}, DType::f32);
        }) == text("(3, 2, 2000000000, 2000000000, 1, 1)"));
  CHECK(message_of<ShapeError>([] {
          Tensor::zeros({2000000000, 2000000000});
        }) == text("(2000000000, 2000000000)"));
  CHECK(Layout(Shape{1, 60000, 60000}).contiguous());  // the first stride is irrelevant
  const Tensor five = Tensor::zeros({5});
  rejects<ShapeError>("copy: shape (5,) does not broadcast to (3,)",
                      [&] { copy(five, Tensor::zeros({3})); });
  rejects<ShapeError>("copy: shape (2, 3) does not broadcast to (3,)",
                      [&] { copy(t, Tensor::zeros({3}), true); });
  rejects<IndexError>("Indices: rows -1 to 1 are out of range for shape (2, 2)",
                      [&] { indices.rows(-1, 2); });
  rejects<IndexError>("Indices: rows 1 to 3 are out of range for shape (2, 2)",
                      [&] { indices.rows(1, 2); });
  rejects<IndexError>("Indices: rows 1 to 0 are out of range for shape (2, 2)",
                      [&] { indices.rows(1, -1); });
  rejects<IndexError>("Indices: rows 0 to 1 are out of range for shape ()",
                      [] { Indices(std::vector<int>{1}, {}).rows(0, 1); });
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
  CHECK(message_of<ShapeError>([&] { Variable(log_add_exp(a, b)); }) == text("log_add_exp"));
  CHECK(message_of<ShapeError>([&] { Variable(greater_equal(a, b)); }) == text("greater_equal"));
  CHECK(message_of<ShapeError>([&] { Variable(where(a, a, b)); }) == text("where"));
  CHECK(message_of<ShapeError>([&] { Variable(where(a, b, a)); }) == text("where"));
  rejects<OptionError>("clamp: low 2 is above high 1", [&] { clamp(a, 2, 1); });
  rejects<OptionError>("hardtanh: low 0 is above high -1", [&] { hardtanh(a, 0, -1); });
  rejects<OptionError>("clamp: low nan is above high 1", [&] { clamp(a, NAN, 1); });
  rejects<DTypeError>("mul: float32 and float64 operands are mixed; convert one",
                      [&] { Variable(a + a * wide); });
  rejects<ShapeError>("chunk: the last axis of shape (2, 3) does not divide into 2 equal parts",
                      [&] { chunk<2>(a + a); });
  rejects<ShapeError>("chunk: the last axis of shape () does not divide into 2 equal parts",
                      [&] { chunk<2>(value({})); });
  rejects<ShapeError>(
      "add: shapes (2, 3) and (4,) do not broadcast: axis sizes 3 and 4 differ and neither is 1",
      [&] { chunk<2>(a + b); });
}

TEST_CASE("an empty operand") {
  const Variable a = value({2, 3}), none;
  const char* text = "add: an operand is an empty Variable";
  rejects<Error>(text, [&] { Variable(a + none); });
  rejects<Error>(text, [&] { Variable(none + a); });
  rejects<Error>(text, [&] { Variable(a * none + a); });
  rejects<Error>("tanh: an operand is an empty Variable", [&] { Variable(tanh(none)); });
}

TEST_CASE("the first operation that is not finite is named") {
  FiniteChecks checks;
  rejects<NonFiniteError>("log: produced -inf at [1] of its output of shape (2,)", [] {
    Variable(log(Variable(Tensor::from({1, 0}, {2}))));
  });
  rejects<NonFiniteError>("div: produced inf at [1, 1] of its output of shape (2, 2)", [] {
    Variable(value({2, 2}) / Variable(Tensor::from({4, 2, 1, 0}, {2, 2})));
  });
  rejects<NonFiniteError>("matmul: produced inf at [0, 0] of its output of shape (1, 1)", [] {
    matmul(Variable(Tensor::full({1, 2}, 3e38)), value({2, 1}));
  });
  rejects<NonFiniteError>("sum: produced inf at [] of its output of shape ()",
                          [] { sum(Variable(Tensor::full({2}, 3e38))); });
  { FiniteChecks nested; }
  CHECK(finite_checks());
}

TEST_CASE("an empty Variable is rejected wherever it is used") {
  const Variable empty;
  rejects<Error>("value: the Variable is empty", [&] { empty.value(); });
  rejects<Error>("value: the Variable is empty", [&] { empty.item(); });
  rejects<Error>("value: the Variable is empty", [&] { empty.detach(); });
  rejects<Error>("sum: input 0 is an empty Variable", [&] { sum(empty); });
  rejects<Error>("max: input 0 is an empty Variable", [&] { max(empty); });
  rejects<Error>("logsumexp: input 0 is an empty Variable", [&] { logsumexp(empty); });
  rejects<Error>("tanh: an operand is an empty Variable", [&] { Variable(tanh(empty)); });
  rejects<Error>("reshape: input 0 is an empty Variable", [&] { reshape(empty, {1}); });
  rejects<Error>("hook_gradient: input 0 is an empty Variable", [&] { scale_gradient(empty, 2); });
  for (const auto& use : std::vector<std::function<void()>>{
           [&] { matmul(empty, empty); },
           [&] { linear(empty, empty, empty); },
           [&] { softmax(empty); },
           [&] { cross_entropy(empty, Indices(std::vector<int>{1})); },
           [&] { take(empty, Indices(std::vector<int>{0})); },
           [&] { concat({empty}, 0); },
           [&] {
             stack({empty, empty});
           },
           [&] { Sequence(1).put(0, empty); },
           [&] { mse_loss(empty, empty); },
           [&] { cumsum(empty, 0); },
           [&] { slice(empty, 0, 0, 1); },
           [&] { flip(empty, {0}); },
           [&] { broadcast_to(empty, {3}).value(); },
           [&] { transpose(empty); },
           [&] { prod(empty); },
           [&] { norm(empty); },
           [&] { var(empty); },
           [&] { layer_norm(empty, empty, empty); },
           [&] { gather(empty, 0, Indices(std::vector<int>{0})); },
           [&] { sum_to(empty, {}).value(); },
           [&] { contiguous(empty).value(); },
           [&] { argmax(empty); }}) {
    CHECK_THROWS_AS(use(), Error);
  }
}

}  // namespace
}  // namespace hindsight::test
