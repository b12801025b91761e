// Every error message of the operations in ops/, word for word: it names the operation, what it got
// and what it needs.
#include <hindsight/autograd/autograd.h>

#include "errors.h"

namespace hindsight::test {
namespace {

TEST_CASE("products") {
  rejects<ShapeError>("matmul: a is () but b is (3, 2): a scalar has no axis to sum over", [] {
    matmul(value({}), value({3, 2}));
  });
  rejects<ShapeError>("matmul: a is (2, 3) but b is (4, 5): inner sizes must match", [] {
    matmul(value({2, 3}), value({4, 5}));
  });
  rejects<ShapeError>(
      "matmul: shapes (2,) and (3,) do not broadcast: axis sizes 2 and 3 differ and neither is 1",
      [] {
        matmul(value({2, 4, 5}), value({3, 5, 6}));
      });
  rejects<DTypeError>("matmul: float32 and float64 operands are mixed; convert one", [] {
    matmul(value({2, 3}), value({3, 2}, DType::f64));
  });
  rejects<OptionError>("blas::set_threads: 0 threads; at least 1 is needed",
                       [] { blas::set_threads(0); });
}

TEST_CASE("rearranging") {
  const Variable x = value({4, 3});
  rejects<IndexError>("slice: axis 2 is out of range for 2 axes", [&] { slice(x, 2, 0, 1); });
  rejects<IndexError>("slice: start 2, count 3, step 1 reach outside of axis 0 of shape (4, 3)",
                      [&] { slice(x, 0, 2, 3); });
  rejects<IndexError>("slice: start 0, count 3, step 2 reach outside of axis 0 of shape (4, 3)",
                      [&] { slice(x, 0, 0, 3, 2); });
  rejects<IndexError>("slice: start -1, count 1, step 1 reach outside of axis 1 of shape (4, 3)",
                      [&] { slice(x, -1, -1, 1); });
  rejects<IndexError>("slice: start 0, count 1, step 0 reach outside of axis 1 of shape (4, 3)",
                      [&] { slice(x, -1, 0, 1, 0); });
  rejects<IndexError>("operator[]: index 4 is out of range for shape (4, 3)", [&] { x[4]; });
  rejects<ShapeError>("operator[]: a scalar has no axis to index", [] { value({})[0]; });
  rejects<ShapeError>("permute: 1 axes given for shape (4, 3)", [&] { permute(x, {0}); });
  rejects<IndexError>("permute: axis 1 is given twice", [&] { permute(x, {1, -1}); });
  rejects<IndexError>("transpose: axis -2 is out of range for 1 axes",
                      [] { transpose(value({3})); });
  rejects<ShapeError>("reshape: shape (4, 3) holds 12 elements, (5, 2) holds 10", [&] {
    reshape(x, {5, 2});
  });
  rejects<ShapeError>("reshape: more than one size is -1", [&] { reshape(x, {-1, -1}); });
  rejects<ShapeError>("reshape: 12 elements of shape (4, 3) do not divide into groups of 5", [&] {
    reshape(x, {5, -1});
  });
  rejects<ShapeError>("squeeze: axis 0 of shape (4, 3) has 4 elements; 1 is needed",
                      [&] { squeeze(x, 0); });
  rejects<ShapeError>("squeeze: axis 0 of shape (0, 3) has 0 elements; 1 is needed", [] {
    squeeze(value({0, 3}), 0);
  });
  rejects<IndexError>("unsqueeze: axis 3 is out of range for 3 axes", [&] { unsqueeze(x, 3); });
  rejects<ShapeError>("broadcast_to: shape (4, 3) does not broadcast to (3,)",
                      [&] { broadcast_to(x, {3}); });
  rejects<ShapeError>("concat: no parts given", [] { concat({}, 0); });
  rejects<ShapeError>("concat: shapes (4, 3) and (4, 2) differ outside of axis 0", [&] {
    concat({x, value({4, 2})}, 0);
  });
  rejects<ShapeError>("concat: shapes (4, 3) and (4,) differ outside of axis 0", [&] {
    concat({x, value({4})}, 0);
  });
  rejects<DTypeError>("concat: float32 and float64 operands are mixed; convert one", [&] {
    concat({x, value({4, 3}, DType::f64)}, 0);
  });
  rejects<ShapeError>("stack: no parts given", [] { stack({}); });
  rejects<ShapeError>("stack: shapes (4, 3) and (3,) differ", [&] { stack({x, value({3})}); });
  rejects<DTypeError>("stack: float32 and float64 operands are mixed; convert one", [&] {
    stack({x, value({4, 3}, DType::f64)});
  });
  rejects<IndexError>("unstack: axis -3 is out of range for 2 axes", [&] { unstack(x, -3); });
  rejects<ShapeError>("split: sizes {2, 1} do not add up to axis 0 of shape (4, 3)", [&] {
    split(x, {2, 1});
  });
  rejects<ShapeError>("split: sizes {-1, 4} do not add up to axis 1 of shape (4, 3)", [&] {
    split(x, {-1, 4}, -1);
  });
  rejects<IndexError>("flip: axis 2 is out of range for 2 axes", [&] { flip(x, {2}); });
  rejects<IndexError>("flip: axis -1 is given twice", [&] { flip(x, {1, -1}); });
  rejects<ShapeError>("reverse_sequence: shape (3,); (T, B, ...) is needed",
                      [] { reverse_sequence(value({3}), {3}); });
  rejects<ShapeError>("reverse_sequence: 2 lengths for a batch of 3", [&] {
    reverse_sequence(x, {1, 2});
  });
  rejects<ShapeError>("reverse_sequence: length 5 is outside of [0, 4]", [&] {
    reverse_sequence(x, {1, 5, 2});
  });
  rejects<IndexError>("pad: 1 elements before and -1 after axis 1; 0 or more are needed",
                      [&] { pad(x, -1, 1, -1); });
  const Layout whole(Shape{5, 3});
  rejects<ShapeError>("assemble: no parts given", [] { assemble({5, 3}, {}, {}); });
  rejects<ShapeError>("assemble: 1 regions for 2 parts", [&] {
    assemble({5, 3}, {whole}, {x, x});
  });
  rejects<ShapeError>("assemble: part 1 is (4, 3) but its region (2, 3)", [&] {
    assemble({5, 3}, {whole.slice(0, 1, 4), whole.slice(0, 0, 2)}, {x, x});
  });
  rejects<IndexError>("assemble: region 0 reaches outside of shape (4, 3)", [&] {
    assemble({4, 3}, {whole.slice(0, 1, 4)}, {x});
  });
  rejects<DTypeError>("assemble: float32 and float64 operands are mixed; convert one", [&] {
    assemble({4, 3}, {x.layout(), x.layout()}, {x, value({4, 3}, DType::f64)});
  });
  Sequence sequence(2);
  rejects<IndexError>("Sequence: step 2 of 2", [&] { sequence.put(2, x); });
  sequence.put(0, x);
  rejects<IndexError>("Sequence: step 0 is put twice", [&] { sequence.put(0, x); });
  rejects<ShapeError>("Sequence: step 1 has shape (3,), the others (4, 3)",
                      [&] { sequence.put(1, value({3})); });
  rejects<DTypeError>("Sequence: float32 and float64 operands are mixed; convert one", [&] {
    sequence.put(1, value({4, 3}, DType::f64));
  });
}

TEST_CASE("reductions, losses, indices, dropout") {
  const Variable x = value({4, 3});
  rejects<IndexError>("sum: axis 2 is out of range for 2 axes", [&] { sum(x, {2}); });
  rejects<IndexError>("sum: axis -1 is given twice", [&] { sum(x, {1, -1}); });
  rejects<ShapeError>("sum_to: shape (3,) does not broadcast to (5, 1000)", [] {
    sum_to(value({5, 1000}), {3});
  });
  rejects<ShapeError>("sum_to: shape (2, 4, 3) does not broadcast to (4, 3)", [&] {
    sum_to(x, {2, 4, 3});
  });
  rejects<ShapeError>("mean: shape (0, 3) has no elements", [] { mean(value({0, 3})); });
  rejects<ShapeError>("var: shape (0, 3) has no elements", [] { var(value({0, 3})); });
  rejects<IndexError>("var: axis 2 is out of range for 2 axes", [&] { var(x, {2}); });
  rejects<ShapeError>("max: shape (0, 3) has no elements to choose from", [] {
    max(value({0, 3}), {0});
  });
  rejects<ShapeError>("min: shape (0, 3) has no elements to choose from", [] {
    min(value({0, 3}));
  });
  rejects<IndexError>("max: axis 1 is given twice", [&] { max(x, {1, 1}); });
  rejects<IndexError>("prod: axis 2 is out of range for 2 axes", [&] { prod(x, {2}); });
  rejects<IndexError>("norm: axis -3 is out of range for 2 axes", [&] { norm(x, {-3}); });
  rejects<IndexError>("logsumexp: axis 2 is out of range for 2 axes", [&] { logsumexp(x, {2}); });
  rejects<IndexError>("cumsum: axis 2 is out of range for 2 axes", [&] { cumsum(x, 2); });
  rejects<IndexError>("logcumsumexp: axis 2 is out of range for 2 axes",
                      [&] { logcumsumexp(x, 2); });
  rejects<ShapeError>("linear_recurrence: decay is (3,) but x is (4, 3): the shapes must match",
                      [&] { linear_recurrence(value({3}), x, 0); });
  rejects<DTypeError>("linear_recurrence: float64 and float32 operands are mixed; convert one",
                      [&] {
                        linear_recurrence(value({4, 3}, DType::f64), x, 0);
                      });
  rejects<ShapeError>(
      "linear_recurrence: initial is (4,) but x is (4, 3): along axis 0, it must be (3,)",
      [&] { linear_recurrence(x, x, -2, value({4})); });
  rejects<DTypeError>("linear_recurrence: float32 and float64 operands are mixed; convert one",
                      [&] { linear_recurrence(x, x, 0, value({3}, DType::f64)); });
  rejects<IndexError>("argmax: axis 2 is out of range for 2 axes", [&] { argmax(x, 2); });
  rejects<ShapeError>("argmax: axis 0 of shape (0, 3) is empty", [] { argmax(value({0, 3}), 0); });
  rejects<ShapeError>("argmax: shape (0, 3) has no elements", [] { argmax(value({0, 3})); });
  rejects<IndexError>("log_softmax: axis -3 is out of range for 2 axes",
                      [&] { log_softmax(x, -3); });
  rejects<ShapeError>("log_softmax: axis 1 of shape (4, 0) is empty", [] {
    log_softmax(value({4, 0}));
  });
  const Indices two(std::vector<int>{0, 1}), high(std::vector<int>{0, 1, 3, 1}),
      low(std::vector<int>{0, -1, 2, 1}), none(std::vector<int>{});
  rejects<ShapeError>(
      "cross_entropy: input (4, 3) needs targets of the same shape without the last axis, not (2,)",
      [&] { cross_entropy(x, two); });
  rejects<IndexError>("cross_entropy: target 3 at position 2 is outside of [0, 3)",
                      [&] { cross_entropy(x, high); });
  rejects<IndexError>("cross_entropy: target -1 at position 1 is outside of [0, 3)",
                      [&] { cross_entropy(x, low); });
  rejects<ShapeError>("cross_entropy: there are no targets", [&] {
    cross_entropy(value({0, 3}), none);
  });
  rejects<ShapeError>("take: the table is a scalar; it needs an axis to index",
                      [&] { take(value({}), two); });
  rejects<IndexError>("take: index 3 at position 2 is outside of [0, 3)", [&] {
    take(value({3, 2}), high);
  });
  rejects<IndexError>("scatter_rows: index 1 at position 1 is outside of [0, 1)", [&] {
    scatter_rows(value({2, 3}), two, 1);
  });
  rejects<ShapeError>("scatter_rows: values (4, 3) do not begin with the shape (2,) of the indices",
                      [&] { scatter_rows(x, two, 5); });
  Rng rng(1);
  rejects<OptionError>("dropout: rate 1 is outside of [0, 1)", [&] { dropout(x, 1, rng); });
  rejects<OptionError>("dropout: rate -0.5 is outside of [0, 1)", [&] { dropout(x, -0.5, rng); });
  rejects<OptionError>("dropout: rate nan is outside of [0, 1)", [&] { dropout(x, NAN, rng); });
}

TEST_CASE("gather and scatter_add") {
  const Variable x = value({4, 3});
  const Indices flat(std::vector<int>{0, 1}), wide(std::vector<int>{0, 1, 2, 3}, {1, 4}),
      high(std::vector<int>{0, 3}, {2, 1}), fits(std::vector<int>{0, 2}, {2, 1});
  rejects<IndexError>("gather: axis 2 is out of range for 2 axes", [&] { gather(x, 2, fits); });
  rejects<ShapeError>("gather: indices (2,) do not fit shape (4, 3) along the axes other than 1",
                      [&] { gather(x, -1, flat); });
  rejects<ShapeError>("gather: indices (1, 4) do not fit shape (4, 3) along the axes other than 0",
                      [&] { gather(x, 0, wide); });
  rejects<IndexError>("gather: index 3 at position 1 is outside of [0, 3)",
                      [&] { gather(x, 1, high); });
  rejects<ShapeError>("scatter_add: values (2,) and indices (2, 1) need the same shape",
                      [&] { scatter_add(x, 1, fits, value({2})); });
  rejects<DTypeError>("scatter_add: float32 and float64 operands are mixed; convert one", [&] {
    scatter_add(x, 1, fits, value({2, 1}, DType::f64));
  });
  rejects<IndexError>("one_hot: index 2 at position 1 is outside of [0, 2)",
                      [&] { one_hot(fits, 2); });
}

TEST_CASE("normalization and losses") {
  const Variable x = value({4, 3});
  rejects<IndexError>("softmax: axis -3 is out of range for 2 axes", [&] { softmax(x, -3); });
  rejects<ShapeError>("softmax: axis 1 of shape (4, 0) is empty", [] { softmax(value({4, 0})); });
  rejects<ShapeError>(
      "layer_norm: x (4, 3), weight (4,) and bias (3,): (..., N), (N,) and (N,) are needed, N > 0",
      [&] { layer_norm(x, value({4}), value({3})); });
  rejects<ShapeError>("mse_loss: prediction (4, 3) and target (3,) need the same shape",
                      [&] { mse_loss(x, value({3})); });
  rejects<DTypeError>("l1_loss: float32 and float64 operands are mixed; convert one", [&] {
    l1_loss(x, value({4, 3}, DType::f64));
  });
  rejects<ShapeError>("bce_with_logits: shape (0,) has no elements",
                      [] { bce_with_logits(value({0}), value({0})); });
  rejects<OptionError>("huber_loss: delta 0 is not above 0",
                       [&] { huber_loss(x, x, {.delta = 0}); });
  rejects<OptionError>("smooth_l1_loss: beta -1 is below 0",
                       [&] { smooth_l1_loss(x, x, {.beta = -1}); });
  const Indices targets(std::vector<int>{0, 1, 2, 3}), ignored(std::vector<int>(4, -100));
  rejects<IndexError>("nll_loss: target 3 at position 3 is outside of [0, 3)",
                      [&] { nll_loss(x, targets); });
  rejects<ShapeError>(
      "nll_loss: input (4, 2, 3) needs targets of the same shape without the last axis, not (4,)",
      [&] {
        nll_loss(value({4, 2, 3}), targets);
      });
  rejects<Error>("cross_entropy: each of 4 targets is ignored or of weight 0; they have no mean",
                 [&] { cross_entropy(x, ignored); });
  rejects<ShapeError>("cross_entropy: class weights (4,) for 3 classes",
                      [&] { cross_entropy(x, ignored, {.weight = Tensor::zeros({4})}); });
  rejects<OptionError>("cross_entropy: label_smoothing 1.5 is outside of [0, 1]",
                       [&] { cross_entropy(x, ignored, {.label_smoothing = 1.5}); });
}

TEST_CASE("ctc_loss") {
  const Variable x = value({4, 2, 3});
  const Indices symbols(std::vector<int>{1, 2, 3, 1}, {2, 2});
  rejects<ShapeError>(
      "ctc_loss: log_probabilities (4, 3) and targets (2, 2): (T, B, C) and (B, S) are needed",
      [&] {
        ctc_loss(value({4, 3}), symbols);
      });
  rejects<IndexError>("ctc_loss: blank 3 is outside of [0, 3)",
                      [&] { ctc_loss(x, symbols, {.blank = 3}); });
  rejects<IndexError>("ctc_loss: symbol 3 of target 1 is outside of [0, 3) or the blank",
                      [&] { ctc_loss(x, symbols); });
  rejects<ShapeError>("ctc_loss: 1 input lengths for a batch of 2",
                      [&] { ctc_loss(x, symbols, {.input_lengths = {4}}); });
  rejects<ShapeError>("ctc_loss: input length 0 is outside of [1, 4]", [&] {
    ctc_loss(x, symbols, {.input_lengths = {4, 0}});
  });
  rejects<ShapeError>("ctc_loss: target length 3 is outside of [0, 2]", [&] {
    ctc_loss(x, symbols, {.target_lengths = {3, 2}});
  });
}

}  // namespace
}  // namespace hindsight::test
