// The gradient table, continued: softmax, normalization and losses; and the values of these where
// naive formulas fail.
#include <limits>

#include "support.h"

namespace hindsight::test {
namespace {

const double kInfinity = std::numeric_limits<double>::infinity();

TEST_CASE("normalization") {
  run({
      {"softmax", [](In x) { return softmax(x[0] * x[0]); }, {{5, 17}}},
      {"softmax, axis 0", [](In x) { return tanh(softmax(x[0], 0)); }, {{5, 3, 4}}},
      {"softmax, axis 1", [](In x) { return softmax(x[0], 1) * x[1]; }, {{2, 17, 3}, {3}}},
      {"softmax of a view", [](In x) { return softmax(slice(x[0], 1, 2, 9)); }, {{3, 17}}},
      {"layer_norm", [](In x) { return layer_norm(x[0], x[1], x[2]); }, {{5, 17}, {17}, {17}}},
      {"layer_norm of a sequence",
       [](In x) { return tanh(layer_norm(tanh(x[0]), x[1], x[2], {.epsilon = 0.1})); },
       {{2, 3, 5}, {5}, {5}}},
  });
}

TEST_CASE("losses of numbers") {
  const std::vector<Shape> two = {{5, 7}, {5, 7}};
  run({
      {"mse_loss", [](In x) { return mse_loss(x[0], x[1]); }, two},
      {"mse_loss, sum", [](In x) { return mse_loss(x[0], x[1], {.reduction = Reduction::sum}); },
       two},
      {"mse_loss, none",
       [](In x) { return mse_loss(x[0], tanh(x[1]), {.reduction = Reduction::none}); }, two},
      {"l1_loss", [](In x) { return l1_loss(tanh(x[0]), x[1]); }, two},
      {"huber_loss", [](In x) { return huber_loss(tanh(x[0]), x[1]); }, two},
      {"huber_loss, none",
       [](In x) { return huber_loss(x[0], x[1], {.reduction = Reduction::none, .delta = 0.7}); },
       two},
      {"smooth_l1_loss", [](In x) { return smooth_l1_loss(tanh(x[0]), x[1], {.beta = 0.6}); }, two},
      {"smooth_l1_loss, beta 0", [](In x) { return smooth_l1_loss(tanh(x[0]), x[1], {.beta = 0}); },
       two},
      {"bce_with_logits", [](In x) { return bce_with_logits(4 * x[0], sigmoid(x[1])); }, two},
      {"bce_with_logits, none",
       [](In x) { return bce_with_logits(x[0], sigmoid(x[1]), {.reduction = Reduction::none}); },
       two},
  });
}

TEST_CASE("losses of classes and of symbol sequences") {
  const Indices classes(std::vector<int>{1, -100, 0, 1, 6}), all(std::vector<int>{1, 4, 0, 1, 6}),
      repeated(std::vector<int>{1, 1, 2, 3, 1, 9}, {2, 3});
  const Tensor weight = random_tensor({7}, 5, DType::f64, 0.5, 2);
  const auto cross = [=](const CrossEntropyOptions& options) {
    return [=](In x) { return cross_entropy(tanh(x[0]) * 3, classes, options); };
  };
  const auto ctc = [=](const CtcOptions& options) {
    return [=](In x) { return ctc_loss(log_softmax(x[0]), repeated, options); };
  };
  run({
      {"cross_entropy, ignored", cross({}), {{5, 7}}},
      {"cross_entropy, ignored, none", cross({.reduction = Reduction::none}), {{5, 7}}},
      {"cross_entropy, weighted", cross({.weight = weight}), {{5, 7}}},
      {"cross_entropy, smoothed", cross({.label_smoothing = 0.2}), {{5, 7}}},
      {"cross_entropy, all options",
       [=](In x) {
         return cross_entropy(
             x[0], all,
             {.reduction = Reduction::sum, .ignore = 6, .weight = weight, .label_smoothing = 0.2});
       },
       {{5, 7}}},
      {"nll_loss", [=](In x) { return nll_loss(log_softmax(x[0]), classes); }, {{5, 7}}},
      {"nll_loss, weighted, none",
       [=](In x) {
         return nll_loss(tanh(x[0]), all, {.reduction = Reduction::none, .weight = weight});
       },
       {{5, 7}}},
      {"ctc_loss", ctc({.target_lengths = {3, 2}}), {{6, 2, 4}}},
      {"ctc_loss, lengths, none",
       ctc({.reduction = Reduction::none, .input_lengths = {6, 3}, .target_lengths = {2, 0}}),
       {{6, 2, 4}}},
      {"ctc_loss, another blank, sum",
       [](In x) {
         return ctc_loss(log_softmax(x[0]), Indices(std::vector<int>{0, 1, 1, 0}, {2, 2}),
                         {.reduction = Reduction::sum, .blank = 3});
       },
       {{5, 2, 4}}},
  });
}

TEST_CASE("the softmax family is exact for large logits") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Variable x(Tensor::from({1e4, 1e4 - 1, -1e4, 1e4 - 0.5}, {1, 4}, dtype));
    const double parts[] = {1, std::exp(-1.0), 0, std::exp(-0.5)};
    const double total = parts[0] + parts[1] + parts[3];
    const Tensor p = softmax(x).value(), log_p = log_softmax(x).value();
    for (Size i = 0; i < 4; ++i) {
      CHECK(p.at(i) == doctest::Approx(parts[i] / total).epsilon(1e-6));
      const double wanted = i == 2 ? -2e4 - std::log(total) : std::log(parts[i] / total);
      CHECK(log_p.at(i) == doctest::Approx(wanted).epsilon(1e-6));
    }
    const Tensor masked = softmax(Variable(Tensor::from({-kInfinity, 0, 0}, {3}, dtype))).value();
    CHECK(masked.at(0) == 0);
    CHECK(masked.at(1) == 0.5);
  }
}

TEST_CASE("bce_with_logits keeps its digits at both ends") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Variable x(Tensor::from({100, -100, 100, -100, 20, 0}, {6}, dtype)),
        t(Tensor::from({1, 0, 0, 1, 1, 0.5}, {6}, dtype));
    const Tensor loss = bce_with_logits(x, t, {.reduction = Reduction::none}).value();
    const double wanted[] = {0, 0, 100, 100, std::log1p(std::exp(-20.0)), std::log(2.0)};
    for (Size i = 2; i < 6; ++i) CHECK(loss.at(i) == doctest::Approx(wanted[i]).epsilon(1e-6));
    CHECK(loss.at(0) <= 1e-40);
    CHECK(loss.at(1) <= 1e-40);
  }
}

TEST_CASE("huber_loss is a square near zero, for the second derivative too") {
  Tape tape;
  const Variable x = tape.watch(Tensor::from({0, 0.5, -3}, {3}, DType::f64));
  const Variable target(Tensor::zeros({3}, DType::f64));
  const Variable loss = huber_loss(x, target, {.reduction = Reduction::sum, .delta = 2});
  CHECK(loss.item() == 0.125 + 2 * (3 - 1));
  const Variable g = tape.gradient({loss}, {x}, {.create_graph = true})[0];
  CHECK(g.value().to_vector() == std::vector<double>{0, 0.5, -2});
  CHECK(tape.gradient(sum(g), {x})[0].value().to_vector() == std::vector<double>{1, 1, 0});
}

TEST_CASE("ignored targets do not count, whatever their logits are") {
  const Variable x(Tensor::from({1, 2, -kInfinity, 0}, {2, 2}, DType::f64));
  const Indices targets(std::vector<int>{0, 7});
  const double loss = std::log1p(std::exp(1.0));
  CHECK(cross_entropy(x, targets, {.ignore = 7}).item() == doctest::Approx(loss));
  CHECK(nll_loss(x, targets, {.ignore = 7}).item() == -1);
  const Tensor each =
      cross_entropy(x, targets, {.reduction = Reduction::none, .ignore = 7}).value();
  CHECK(each.at(1) == 0);
}

/// Minus the log of the sum of the probabilities of all paths of symbols that spell the target.
double ctc_by_paths(const Tensor& log_p, const std::vector<Size>& target) {
  const Size T = log_p.size(0), C = log_p.size(2);
  double total = 0;
  Size paths = 1;
  for (Size t = 0; t < T; ++t) paths *= C;
  for (Size path = 0; path < paths; ++path) {
    std::vector<Size> read;
    double log_probability = 0;
    Size before = 0, rest = path;
    for (Size t = 0; t < T; ++t, rest /= C) {
      const Size symbol = rest % C;
      log_probability += log_p.at(t * C + symbol);
      if (symbol != 0 && symbol != before) read.push_back(symbol);
      before = symbol;
    }
    if (read == target) total += std::exp(log_probability);
  }
  return -std::log(total);
}

TEST_CASE("ctc_loss sums all alignments") {
  const Tensor log_p =
      log_softmax(Variable(random_tensor({5, 1, 3}, 3, DType::f64, -2, 2))).value();
  for (const std::vector<Size>& target :
       {std::vector<Size>{1}, {1, 2}, {1, 1}, {2, 2, 1}, {1, 2, 1, 2}, {2, 2, 2}}) {
    const Indices symbols(target, {1, static_cast<Size>(target.size())});
    const double loss = ctc_loss(Variable(log_p), symbols, {.reduction = Reduction::none}).item();
    CHECK(loss == doctest::Approx(ctc_by_paths(log_p, target)).epsilon(1e-12));
  }
}

TEST_CASE("ctc_loss of a target that does not fit, and of padding") {
  Tape tape;
  const Tensor values = random_tensor({4, 2, 3}, 3);
  for (const Size step : {2, 3})  // past the end of row 1
    for (Size c = 0; c < 3; ++c) values.set((step * 2 + 1) * 3 + c, NAN);
  const Variable x = tape.watch(values);
  const Indices symbols(std::vector<int>{1, 1, 1, 2, -1, -1}, {2, 3});
  const CtcOptions options{
      .reduction = Reduction::none, .input_lengths = {4, 2}, .target_lengths = {3, 1}};
  const Variable losses = ctc_loss(x, symbols, options);
  CHECK(losses.value().at(0) == kInfinity);  // 1 1 1 needs two blanks: five steps
  CHECK(std::isfinite(losses.value().at(1)));
  CtcOptions zero = options;
  zero.zero_infinity = true;
  CHECK(ctc_loss(x, symbols, zero).value().at(0) == 0);
  const Tensor g = tape.gradient(sum(ctc_loss(x, symbols, zero)), {x})[0].value();
  for (Size t = 0; t < 4; ++t)
    for (Size c = 0; c < 3; ++c) {
      CHECK(g.at((t * 2) * 3 + c) == 0);
      if (t >= 2) CHECK(g.at((t * 2 + 1) * 3 + c) == 0);
    }
}

}  // namespace
}  // namespace hindsight::test
