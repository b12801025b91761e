// A Variable, Parameter, Tensor or Indices that was default-constructed or moved from: every use of
// its elements throws one sentence, and none crashes.
#include <hindsight/nn/nn.h>
#include <hindsight/optim/optim.h>

#include "support.h"

namespace hindsight::test {
namespace {

struct Use {
  const char* text;
  std::function<void()> use;
};

void check(const std::vector<Use>& uses) {
  for (const bool recording : {false, true}) {
    for (const Use& use : uses) {
      std::optional<Tape> tape;
      if (recording) tape.emplace();
      CHECK(message_of<Error>(use.use) == std::string(use.text));
    }
  }
}

Variable value(const Shape& shape) { return Variable(Tensor::full(shape, 1)); }

const Indices kIndices(std::vector<int>{0, 1});

TEST_CASE("a Tensor") {
  const Tensor none;
  CHECK(!none);
  check({
      {"Tensor::at: the Tensor is empty", [&] { none.at(0); }},
      {"Tensor::set: the Tensor is empty", [&] { none.set(0, 1); }},
      {"Tensor::item: the Tensor is empty", [&] { none.item(); }},
      {"Tensor::to_vector: the Tensor is empty", [&] { none.to_vector(); }},
      {"Tensor::contiguous_copy: the Tensor is empty", [&] { none.contiguous_copy(); }},
      {"Tensor::dense: the Tensor is empty", [&] { none.dense(); }},
      {"Tensor::to: the Tensor is empty", [&] { none.to(DType::f64); }},
      {"Tensor::to: the Tensor is empty", [&] { none.to(DType::f32); }},
      {"Tensor::fill: the Tensor is empty", [&] { none.fill(1); }},
      {"Tensor::data: the Tensor is empty", [&] { none.data<float>(); }},
      {"Tensor::bytes: the Tensor is empty", [&] { none.bytes(); }},
      {"Tensor::array: the Tensor is empty", [&] { none.array<float>(); }},
      {"Tensor::view: the Tensor is empty", [&] { none.view(Layout(Shape{})); }},
      {"copy: the source is an empty Tensor", [&] { copy(none, Tensor::zeros({})); }},
      {"copy: the target is an empty Tensor", [&] { copy(Tensor::zeros({}), none); }},
      {"Tensor::dense: the Tensor is empty", [&] { all_finite(none); }},
      {"Variable: the Tensor is empty", [&] { Variable{none}; }},
      {"watch: the Tensor is empty", [&] { Tape().watch(none); }},
      {"parameter p: its value is an empty Tensor", [&] { Parameter("p", none); }},
      {"parameter p: an empty Tensor cannot be its value",
       [&] { Parameter("p", Tensor::zeros({})).assign(none); }},
  });
}

TEST_CASE("a Parameter") {
  Parameter none;
  CHECK(!none);  // how to test an optional one
  const Variable x = value({2, 2});
  check({
      {"name: the Parameter is empty", [&] { none.name(); }},
      {"rename: the Parameter is empty", [&] { none.rename("p"); }},
      {"shape: the Parameter is empty", [&] { none.shape(); }},
      {"dtype: the Parameter is empty", [&] { none.dtype(); }},
      {"value: the Parameter is empty", [&] { none.value(); }},
      {"assign: the Parameter is empty", [&] { none.assign(Tensor::zeros({})); }},
      {"changed: the Parameter is empty", [&] { none.changed(); }},
      {"to: the Parameter is empty", [&] { none.to(DType::f64); }},
      {"gradient: the Parameter is empty", [&] { none.gradient(); }},
      {"has_gradient: the Parameter is empty", [&] { none.has_gradient(); }},
      {"clear_gradient: the Parameter is empty", [&] { none.clear_gradient(); }},
      {"Variable: the Parameter is empty", [&] { Variable{none}; }},
      {"Variable: the Parameter is empty", [&] { x + none; }},
      {"Variable: the Parameter is empty", [&] { tanh(none); }},
      {"Variable: the Parameter is empty", [&] { matmul(x, none); }},
      {"Variable: the Parameter is empty", [&] { linear(x, x, none); }},
      {"jvp: parameter 0 is empty",
       [&] { jvp([] { return Variable(1.0 * value({})); }, {none}, {Tensor::zeros({})}); }},
      {"optimizer: parameter 0 is empty", [&] { optim::Sgd({none}); }},
      {"optimizer: parameter 1 is empty",
       [&] {
         optim::Sgd({Parameter("p", Tensor::zeros({})), none}, {.momentum = 0.9});
       }},
      {"optimizer: parameter 0 is empty", [&] { optim::Adam({none}); }},
      {"optimizer: parameter 0 is empty", [&] { optim::AdamW({none}); }},
  });
}

TEST_CASE("a Variable") {
  const Variable none, x = value({2, 2});
  CHECK(!none);
  CHECK(!none.recorded());
  check({
      {"value: the Variable is empty", [&] { none.value(); }},
      {"value: the Variable is empty", [&] { none.item(); }},
      {"value: the Variable is empty", [&] { none.detach(); }},
      {"data: the Variable is empty", [&] { none.data<float>(); }},
      {"operator[]: the Variable is empty", [&] { none[0]; }},
      {"tanh: an operand is an empty Variable", [&] { Variable(tanh(none)); }},
      {"add: an operand is an empty Variable", [&] { Variable(x + none); }},
      {"where: an operand is an empty Variable", [&] { Variable(where(none, x, x)); }},
      {"stop_gradient: input 0 is an empty Variable", [&] { stop_gradient(none); }},
      {"hook_gradient: input 0 is an empty Variable", [&] { clip_gradient(none, 1); }},
  });
  check({
      {"sum: input 0 is an empty Variable", [&] { sum(none); }},
      {"sum: input 0 is an empty Variable", [&] { sum(none, {0}); }},
      {"mean: input 0 is an empty Variable", [&] { mean(none); }},
      {"var: input 0 is an empty Variable", [&] { var(none); }},
      {"max: input 0 is an empty Variable", [&] { max(none); }},
      {"min: input 0 is an empty Variable", [&] { min(none, {-1}); }},
      {"prod: input 0 is an empty Variable", [&] { prod(none); }},
      {"norm: input 0 is an empty Variable", [&] { norm(none); }},
      {"logsumexp: input 0 is an empty Variable", [&] { logsumexp(none); }},
      {"argmax: input 0 is an empty Variable", [&] { argmax(none); }},
      {"argmax: input 0 is an empty Variable", [&] { argmax(none, 0); }},
      {"sum_to: input 0 is an empty Variable", [&] { sum_to(none, {}); }},
      {"cumsum: input 0 is an empty Variable", [&] { cumsum(none, 0); }},
      {"logcumsumexp: input 0 is an empty Variable", [&] { logcumsumexp(none, 0); }},
      {"linear_recurrence: input 0 is an empty Variable", [&] { linear_recurrence(none, x, 0); }},
      {"linear_recurrence: input 1 is an empty Variable", [&] { linear_recurrence(x, none, 0); }},
      {"linear_recurrence: input 2 is an empty Variable",
       [&] { linear_recurrence(x, x, 0, none); }},
      {"softmax: input 0 is an empty Variable", [&] { softmax(none); }},
      {"log_softmax: input 0 is an empty Variable", [&] { log_softmax(none, 0); }},
      {"layer_norm: input 0 is an empty Variable", [&] { layer_norm(none, x, x); }},
      {"layer_norm: input 1 is an empty Variable", [&] { layer_norm(x, none, x); }},
      {"layer_norm: input 2 is an empty Variable", [&] { layer_norm(x, x[0], none); }},
      {"matmul: input 0 is an empty Variable", [&] { matmul(none, x); }},
      {"matmul: input 1 is an empty Variable", [&] { matmul(x, none); }},
      {"linear: input 0 is an empty Variable", [&] { linear(none, x, x[0]); }},
      {"linear: input 1 is an empty Variable", [&] { linear(x, none, x[0]); }},
      {"linear: input 2 is an empty Variable", [&] { linear(x, x, none); }},
  });
}

TEST_CASE("a Variable to rearrange, to index, to compare") {
  const Variable none, x = value({2, 2});
  check({
      {"slice: input 0 is an empty Variable", [&] { slice(none, 0, 0, 1); }},
      {"transpose: input 0 is an empty Variable", [&] { transpose(none); }},
      {"permute: input 0 is an empty Variable", [&] { permute(none, {}); }},
      {"reshape: input 0 is an empty Variable", [&] { reshape(none, Shape{1}); }},
      {"reshape: input 0 is an empty Variable", [&] { reshape(none, {-1}); }},
      {"squeeze: input 0 is an empty Variable", [&] { squeeze(none, 0); }},
      {"unsqueeze: input 0 is an empty Variable", [&] { unsqueeze(none, 0); }},
      {"broadcast_to: input 0 is an empty Variable", [&] { broadcast_to(none, {}); }},
      {"contiguous: input 0 is an empty Variable", [&] { contiguous(none); }},
      {"concat: input 1 is an empty Variable",
       [&] {
         concat({x, none}, 0);
       }},
      {"concat: input 0 is an empty Variable",
       [&] {
         concat({none, x}, 0);
       }},
      {"stack: input 0 is an empty Variable",
       [&] {
         stack({none, none});
       }},
      {"unstack: input 0 is an empty Variable", [&] { unstack(none); }},
      {"split: input 0 is an empty Variable", [&] { split(none, {1}); }},
      {"add: an operand is an empty Variable", [&] { Variable(chunk<2>(x + none)[0]); }},
      {"flip: input 0 is an empty Variable", [&] { flip(none, {}); }},
      {"reverse_sequence: input 0 is an empty Variable", [&] { reverse_sequence(none, {}); }},
      {"pad: input 0 is an empty Variable", [&] { pad(none, 0, 1, 1); }},
      {"assemble: input 0 is an empty Variable", [&] { assemble({2}, {Layout(Shape{})}, {none}); }},
      {"take: input 0 is an empty Variable", [&] { take(none, kIndices); }},
      {"scatter_rows: input 0 is an empty Variable", [&] { scatter_rows(none, kIndices, 3); }},
      {"gather: input 0 is an empty Variable", [&] { gather(none, 0, kIndices); }},
      {"scatter_add: input 0 is an empty Variable", [&] { scatter_add(none, 0, kIndices, x[0]); }},
      {"scatter_add: input 1 is an empty Variable", [&] { scatter_add(x[0], 0, kIndices, none); }},
      {"mse_loss: input 0 is an empty Variable", [&] { mse_loss(none, x); }},
      {"mse_loss: input 1 is an empty Variable", [&] { mse_loss(x, none); }},
      {"l1_loss: input 0 is an empty Variable", [&] { l1_loss(none, none); }},
      {"huber_loss: input 0 is an empty Variable", [&] { huber_loss(none, x); }},
      {"smooth_l1_loss: input 1 is an empty Variable", [&] { smooth_l1_loss(x, none); }},
      {"bce_with_logits: input 0 is an empty Variable", [&] { bce_with_logits(none, x); }},
      {"nll_loss: input 0 is an empty Variable", [&] { nll_loss(none, kIndices); }},
      {"cross_entropy: input 0 is an empty Variable", [&] { cross_entropy(none, kIndices); }},
      {"ctc_loss: input 0 is an empty Variable", [&] { ctc_loss(none, kIndices); }},
  });
  Rng rng(1);
  check({{"dropout: input 0 is an empty Variable", [&] { dropout(none, 0.5, rng); }},
         {"dropout: input 0 is an empty Variable", [&] { dropout(none, 0, rng); }}});
}

TEST_CASE("a Variable put into a Sequence, which stays as it was") {
  Sequence steps(2);
  check({{"Sequence: input 0 is an empty Variable", [&] { steps.put(0, {}); }},
         {"Sequence: input 0 is an empty Variable", [&] { steps.put_steps(0, {}); }},
         {"put_part: input 0 is an empty Variable", [&] { detail::put_part({}, value({})); }},
         {"put_part: input 1 is an empty Variable", [&] { detail::put_part(value({}), {}); }}});
  CHECK(steps.put(0, value({3})).shape() == Shape{3});
}

TEST_CASE("Indices") {
  const Indices none;
  const Variable x = value({2, 2});
  CHECK(!none);
  CHECK(Indices(std::vector<int>{}));  // with no elements they are not empty
  const Indices targets(std::vector<int>{0}, {});
  check({
      {"Indices: they are empty", [&] { none.data(); }},
      {"Indices: they are empty", [&] { none[0]; }},
      {"Indices: they are empty", [&] { none.row(0); }},
      {"Indices: they are empty", [&] { none.rows(0, 1); }},
      {"mine: the Indices are empty", [&] { none.check_range("mine", "index", 2); }},
      {"take: the Indices are empty", [&] { take(x, none); }},
      {"scatter_rows: the Indices are empty", [&] { scatter_rows(x, none, 2); }},
      {"gather: the Indices are empty", [&] { gather(x, 0, none); }},
      {"scatter_add: the Indices are empty", [&] { scatter_add(x, 0, none, x); }},
      {"one_hot: the Indices are empty", [&] { one_hot(none, 2); }},
      {"nll_loss: the Indices are empty", [&] { nll_loss(x[0], none); }},
      {"cross_entropy: the Indices are empty", [&] { cross_entropy(x[0], none); }},
      {"ctc_loss: the Indices are empty",
       [&] {
         ctc_loss(value({3, 2, 2}), none);
       }},
  });
}

TEST_CASE("derivatives of and along empty values") {
  const auto f = [](In x) { return Variable(2 * x[0]); };
  const Tensor one = Tensor::full({}, 1), none;
  Tape tape;
  const Variable x = tape.watch(one), y = tape.watch(one);
  const auto text = [](auto&& use) { return message_of<Error>(use); };
  CHECK(text([&] { jvp(f, {none}, {one}); }) == "jvp: input 0 is an empty Tensor");
  CHECK(text([&] { jvp(f, {one}, {none}); }) == "jvp: the direction of input 0 is an empty Tensor");
  CHECK(text([&] { vjp(f, {one}, none); }) ==
        "vjp: the cotangent of the output is an empty Tensor");
  CHECK(text([&] { jacobian(f, {none}); }) == "jacobian: input 0 is an empty Tensor");
  CHECK(text([&] { check_gradients(f, {none}); }).find("empty") != std::string::npos);
  const Parameter w("w", Tensor::full({2}, 1, DType::f32));
  CHECK(text([&] {
          check_gradients([&] { return x; }, {w, Parameter()});
        }) == "check_gradients: parameter 1 is empty");
  CHECK(w.dtype() == DType::f32);
  CHECK(message_of<TapeError>([&] { tape.backward({}); }).find("backward: ") == 0);
  CHECK(message_of<TapeError>([&] { tape.gradient(x, {Variable()}); }) ==
        "gradient: input 0 is not recorded on this tape");
  CHECK(message_of<TapeError>([&] { tape.tangent({x}, {Variable()}, {y}); }) ==
        "tangent: input 0 is not a whole watched value or parameter of this tape");
}

TEST_CASE("networks") {
  Rng rng(1);
  nn::Lstm lstm({.input = 2, .hidden = 3}, rng);
  nn::Linear linear_layer({.inputs = 2, .outputs = 3}, rng);
  const nn::Linear without_bias({.inputs = 2, .outputs = 3, .bias = false}, rng);
  nn::Embedding embedding({.symbols = 2, .width = 3}, rng);
  nn::Dropout dropout(0.5, rng);
  const nn::LstmCell cell(2, 3, rng);
  const Variable x = value({4, 1, 2}), none;
  check({
      {"Recurrent: the inputs are an empty Variable", [&] { lstm(none); }},
      {"Recurrent: the Indices are empty", [&] { lstm(Indices()); }},
      {"Recurrent: part 1 of initial state 0 is an empty Variable",
       [&] {
         lstm(x, {.initial = {nn::State{value({1, 3}), none}}});
       }},
      {"linear: input 0 is an empty Variable", [&] { linear_layer(none); }},
      {"matmul: input 0 is an empty Variable", [&] { without_bias(none); }},
      {"take: the Indices are empty", [&] { embedding(Indices()); }},
      {"dropout: input 0 is an empty Variable", [&] { dropout(none); }},
      {"linear: input 0 is an empty Variable", [&] { cell.project(none); }},
      {"take: the Indices are empty", [&] { cell.project(Indices()); }},
      {"matmul: input 0 is an empty Variable",
       [&] {
         cell.step(value({1, 12}), {none, none});
       }},
      {"value: the Variable is empty", [&] { nn::State{none}.detach(); }},
  });
  struct Broken : nn::Module {
    Parameter weight = parameter("weight", Tensor());
  };
  CHECK(message_of<Error>([] { Broken(); }) == "parameter weight: its value is an empty Tensor");
  CHECK(without_bias(value({1, 2})).shape() == Shape{1, 3});  // its bias is an empty Parameter
}

TEST_CASE("values that were moved from are empty, those moved to are complete") {
  Variable a = value({2, 3}), b = value({4});
  Variable c = std::move(a);
  CHECK(!a);
  CHECK(c.shape() == Shape{2, 3});
  c = std::move(b);
  CHECK(!b);
  CHECK(message_of<Error>([&] { b.value(); }) == "value: the Variable is empty");
  CHECK(c.shape() == Shape{4});
  CHECK(c.value().to_vector() == std::vector<double>(4, 1));
  Variable& same = c;
  c = std::move(same);
  CHECK(c.value().to_vector() == std::vector<double>(4, 1));
  b = value({2});  // can be assigned again
  CHECK(b.value().elements() == 2);
  Indices indices(std::vector<int>{0, 0});
  const Indices moved = std::move(indices);
  CHECK(message_of<Error>([&] { take(value({2, 2}), indices); }) == "take: the Indices are empty");
  CHECK(message_of<Error>([&] {
          cross_entropy(value({2, 2}), indices);
        }) == "cross_entropy: the Indices are empty");
  Tensor t = Tensor::zeros({3});
  const Tensor taken = std::move(t);
  CHECK(message_of<Error>([&] { t.to_vector(); }) == "Tensor::to_vector: the Tensor is empty");
}

TEST_CASE("a moved Variable releases what it held at once") {
  Variable large = value({1000, 1000});
  Variable other = value({2});
  const std::int64_t before = pool::statistics().bytes_in_use;
  large = std::move(other);
  CHECK(pool::statistics().bytes_in_use <= before - 4'000'000);
}

TEST_CASE("random whole numbers below 0 or less") {
  Rng rng(1);
  CHECK(message_of<OptionError>([&] { rng.below(0); }) ==
        "Rng::below: a count of 0; at least 1 is needed");
  CHECK(message_of<OptionError>([&] { rng.below(-3); }) ==
        "Rng::below: a count of -3; at least 1 is needed");
  CHECK(rng.below(1) == 0);
}

}  // namespace
}  // namespace hindsight::test
