// Products, indices and losses.
#include <algorithm>

#include "chooser.h"
#include "operations.h"

namespace hindsight::random_programs {
namespace {

using In = const Call&;

/// Indices of a step: drawn anew for any size, so that shapes can shrink.
Indices random_indices(In x, const Shape& shape, Size end) {
  if (end <= 0) fail<IndexError>("random_indices: there is nothing to choose from");
  Rng rng(x.step.seed);
  const Indices result(shape);
  for (Size i = 0; i < result.elements(); ++i) result.data()[i] = rng.below(end);
  return result;
}

Shape numbers_as_shape(In x, std::size_t from) {
  Shape shape;
  for (std::size_t i = from; i < x.step.numbers.size(); ++i) shape.push_back(x.number(i));
  return shape;
}

// a (..., M, K) and a fitting right side, some of them transposed. Numbers: which are.
bool choose_matmul(Chooser& choose, Step& step) {
  if (!value_of_rank(1)(choose, step)) return false;
  Shape a = choose.shape(step.inputs[0]);
  const bool left = a.rank() > 1 && choose.chance(0.2), right = choose.chance(0.35);
  const Size inner = left ? a[a.rank() - 2] : a.back();
  const Size columns = choose.chance(0.05) ? 0 : choose.chance(0.1) ? 17 : choose.between(1, 6);
  Shape b;
  if (choose.chance(0.25)) {
    for (int i = 0; i + 2 < a.rank(); ++i) b.push_back(choose.chance(0.3) ? 1 : a[i]);
    if (a.rank() <= 2 && choose.chance(0.5)) b.push_back(choose.between(1, 3));
  }
  const bool vector = b.rank() == 0 && !right && choose.chance(0.1);
  if (right) b.push_back(columns);
  b.push_back(inner);
  if (!right && !vector) b.push_back(columns);
  step.inputs.push_back(choose.shaped(b));
  step.numbers = {left, right};
  return step.inputs[1] >= 0;
}

// Another product with a right side that is there already: gradients of a weight add up.
bool choose_existing_matmul(Chooser& choose, Step& step) {
  step.inputs = {choose.any([](const Variable& v) { return v.rank() >= 1; }), -1};
  if (step.inputs[0] < 0) return false;
  const Size inner = choose.shape(step.inputs[0]).back();
  step.inputs[1] =
      choose.any([&](const Variable& v) { return v.rank() >= 2 && v.size(v.rank() - 2) == inner; });
  step.numbers = {0, 0};
  return step.inputs[1] >= 0;
}

Variable run_matmul(In x) {
  const Variable a = x.number(0) != 0 ? transpose(x[0]) : x[0];
  return matmul(a, x.number(1) != 0 ? transpose(x[1]) : x[1]);
}

bool choose_linear(Chooser& choose, Step& step) {
  if (!value_of_rank(1)(choose, step)) return false;
  const Size width = choose.between(1, 7);
  step.inputs.push_back(choose.shaped({width, choose.shape(step.inputs[0]).back()}));
  step.inputs.push_back(choose.shaped({width}));
  return step.inputs[1] >= 0 && step.inputs[2] >= 0;
}

bool choose_take(Chooser& choose, Step& step) {
  if (!value_of_rank(1)(choose, step)) return false;
  step.seed = choose.seed();
  for (Size i = choose.below(3); i > 0; --i) step.numbers.push_back(choose.between(1, 4));
  return true;
}

// Indices of the shape of the values' first axes. Numbers: rows, how many axes.
bool choose_scatter_rows(Chooser& choose, Step& step) {
  if (!value_of_rank(1)(choose, step)) return false;
  step.seed = choose.seed();
  step.numbers = {choose.between(1, 5), choose.between(1, choose.rank(step.inputs[0]))};
  return true;
}

Variable run_scatter_rows(In x) {
  Shape shape;
  for (int i = 0; i < static_cast<int>(x.number(1)); ++i) shape.push_back(x[0].size(i));
  return scatter_rows(x[0], random_indices(x, shape, x.number(0)), x.number(0));
}

// Numbers: axis, shape of the indices.
bool choose_gather(Chooser& choose, Step& step) {
  if (!value_and_axis()(choose, step)) return false;
  step.seed = choose.seed();
  const Shape& shape = choose.shape(step.inputs[0]);
  const int axis = checked_axis("gather", static_cast<int>(step.numbers[0]), shape.rank());
  for (int i = 0; i < shape.rank(); ++i) {
    if (shape[i] == 0) return false;
    step.numbers.push_back(i == axis ? choose.between(1, 4) : choose.between(1, shape[i]));
  }
  return true;
}

bool choose_scatter_add(Chooser& choose, Step& step) {
  if (!choose_gather(choose, step)) return false;
  Shape shape;
  for (std::size_t i = 1; i < step.numbers.size(); ++i) shape.push_back(step.numbers[i]);
  step.inputs.push_back(choose.shaped(shape));
  return step.inputs[1] >= 0;
}

Indices axis_indices(In x) {
  const Size end = x[0].size(checked_axis("gather", x.axis(0), x[0].rank()));
  return random_indices(x, numbers_as_shape(x, 1), end);
}

bool choose_seeded(Chooser& choose, Step& step) {
  step.seed = choose.seed();
  step.numbers = {choose.below(2)};
  return values(1)(choose, step);
}

Variable run_dropout(In x) {
  Rng own(x.step.seed);
  return dropout(x[0], 0.3, x.number(0) != 0 ? x.execution.rng() : own);
}

bool choose_one_hot(Chooser& choose, Step& step) {
  if (!value_of_rank(2)(choose, step)) return false;
  step.seed = choose.seed();
  step.numbers = {choose.between(1, 4)};
  return true;
}

Variable run_one_hot(In x) {
  const Size classes = x[0].size(x[0].rank() - 2);
  const Indices rows = random_indices(x, {x.number(0)}, classes);
  return matmul(Variable(one_hot(rows, classes, x.execution.dtype())), x[0]);
}

Reduction reduction(In x) { return static_cast<Reduction>(x.number(0)); }

// Two values of one shape. Number: the reduction.
bool choose_pair(Chooser& choose, Step& step) {
  if (!values(1)(choose, step)) return false;
  step.inputs.push_back(choose.shaped(choose.shape(step.inputs[0])));
  step.numbers = {choose.below(3)};
  return step.inputs[1] >= 0;
}

// Logits. Numbers: the reduction, whether classes have weights, whether one is ignored.
bool choose_logits(Chooser& choose, Step& step) {
  if (!value_of_rank(1)(choose, step)) return false;
  step.seed = choose.seed();
  step.numbers = {choose.below(3), choose.below(2), choose.below(2)};
  step.reals = {choose.chance(0.5) ? 0.0 : 0.2};
  return true;
}

Indices classes_of(In x) {
  Shape shape = x[0].shape();
  shape.erase(shape.rank() - 1);
  return random_indices(x, shape, x[0].shape().back());
}

Tensor class_weights(In x) {
  if (x.number(1) == 0) return {};
  return random_values({x[0].shape().back()}, x.execution.dtype(), x.step.seed, 0.5, 2);
}

Variable run_cross_entropy(In x) {
  return cross_entropy(x[0], classes_of(x),
                       {.reduction = reduction(x),
                        .ignore = x.number(2) != 0 ? 0 : -100,
                        .weight = class_weights(x),
                        .label_smoothing = x.real(0)});
}

Variable run_nll(In x) {
  return nll_loss(log_softmax(x[0]), classes_of(x),
                  {.reduction = reduction(x),
                   .ignore = x.number(2) != 0 ? 0 : -100,
                   .weight = class_weights(x)});
}

bool choose_ctc(Chooser& choose, Step& step) {
  step.inputs = {choose.any([](const Variable& v) {
    return v.rank() == 3 && v.size(0) >= 4 && v.size(2) >= 2 && v.shape().elements() < 500;
  })};
  step.seed = choose.seed();
  step.numbers = {choose.below(3), choose.between(1, 2)};
  return step.inputs[0] >= 0;
}

Variable run_ctc(In x) {
  const Shape shape{x[0].size(1), x.number(1)};
  const Indices targets = random_indices(x, shape, x[0].size(2) - 1);
  for (Size i = 0; i < targets.elements(); ++i) ++targets.data()[i];  // 0 is the blank
  return ctc_loss(log_softmax(x[0]), targets, {.reduction = reduction(x)});
}

}  // namespace

const std::vector<Operation>& product_operations() {
  static const std::vector<Operation> kAll = {
      {"matmul(%0, %1) of transposed #0 #1", choose_matmul, run_matmul},
      {"matmul(%0, %1)", choose_existing_matmul, run_matmul},
      {"linear(%0, %1, %2)", choose_linear, [](In x) { return linear(x[0], x[1], x[2]); }},
  };
  return kAll;
}

const std::vector<Operation>& index_operations() {
  static const std::vector<Operation> kAll = {
      {"take(%0, indices({#*}, ~))", choose_take,
       [](In x) { return take(x[0], random_indices(x, numbers_as_shape(x, 0), x[0].size(0))); }},
      {"scatter_rows(%0, indices of #1 axes, ~, #0)", choose_scatter_rows, run_scatter_rows},
      {"gather(%0, #0, indices({#1...}, ~))", choose_gather,
       [](In x) { return gather(x[0], x.axis(0), axis_indices(x)); }},
      {"scatter_add(%0, #0, indices({#1...}, ~), %1)", choose_scatter_add,
       [](In x) { return scatter_add(x[0], x.axis(0), axis_indices(x), x[1]); }},
      {"matmul(one_hot(indices({#0}, ~)), %0)", choose_one_hot, run_one_hot},
      {"dropout(%0, 0.3, ~ or the run's #0)", choose_seeded, run_dropout},
  };
  return kAll;
}

const std::vector<Operation>& loss_operations() {
  static const std::vector<Operation> kAll = {
      {"mse_loss(%0, %1, reduction #0)", choose_pair,
       [](In x) { return mse_loss(x[0], x[1], {.reduction = reduction(x)}); }},
      {"l1_loss(%0, %1, reduction #0)", choose_pair,
       [](In x) { return l1_loss(x[0], x[1], {.reduction = reduction(x)}); },
       [](In x) { return distance(x[0], x[1]); }},
      {"huber_loss(%0, %1, {reduction #0, .delta = 0.7})", choose_pair,
       [](In x) { return huber_loss(x[0], x[1], {.reduction = reduction(x), .delta = 0.7}); },
       [](In x) {
         return distance(Variable(x[0] - x[1]), {-0.7, 0.7});
       }},
      {"smooth_l1_loss(%0, %1, {reduction #0, .beta = 0.6})", choose_pair,
       [](In x) { return smooth_l1_loss(x[0], x[1], {.reduction = reduction(x), .beta = 0.6}); },
       [](In x) {
         return distance(Variable(x[0] - x[1]), {-0.6, 0.6});
       }},
      {"bce_with_logits(%0, sigmoid(%1), reduction #0)", choose_pair,
       [](In x) { return bce_with_logits(x[0], sigmoid(x[1]), {.reduction = reduction(x)}); }},
      {"cross_entropy(%0, classes ~, reduction #0, weights #1, ignore #2, smoothing $0)",
       choose_logits, run_cross_entropy},
      {"nll_loss(log_softmax(%0), classes ~, reduction #0, weights #1, ignore #2)", choose_logits,
       run_nll},
      {"ctc_loss(log_softmax(%0), #1 symbols ~, reduction #0)", choose_ctc, run_ctc},
  };
  return kAll;
}

}  // namespace hindsight::random_programs
