#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/losses.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/reduce.h>
#include <hindsight/autograd/ops/softmax.h>
#include <hindsight/autograd/ops/softmax_rows.h>

#include <algorithm>
#include <cmath>

namespace hindsight {
namespace {

/// The loss of one row; `probabilities` (may be null) receives the softmax.
template <class T>
T cross_entropy_row(const T* logits, Size classes, Size target, T* probabilities) {
  const T top = detail::largest(logits, classes);
  const T total = detail::exp_row(logits, top, probabilities, classes);
  if (probabilities) {
    const T scale = T(1) / total;
    for (Size i = 0; i < classes; ++i) probabilities[i] *= scale;
  }
  return std::log(total) - (logits[target] - top);
}

/// The loss of each row; saves the softmax for backward.
class CrossEntropy final : public Operation {
 public:
  CrossEntropy(const Variable& logits, const Indices& targets, Tape& tape)
      : input_(logits, Operand::Save::nothing, tape), targets_(targets) {}
  const char* name() const override { return "cross_entropy"; }
  std::pair<const Operand*, int> inputs() const override { return {&input_, 1}; }
  void run() override {
    const Tensor logits = input_.variable().value();
    Node* node = output_.node();
    node->value = Buffer(node->bytes());
    compute(logits, targets_, output_.variable().value(), &probabilities_);
  }
  void start(const Tensor& logits, const Tensor& losses) {
    compute(logits, targets_, losses, &probabilities_);
  }

  void backward(ReverseSweep& sweep) override {
    if (sweep.recorded()) {
      const Variable logits = input_.variable(),
                     g = unsqueeze(sweep.gradient_variable(output_), -1);
      const Variable excess = exp(log_softmax(logits)) -
                              Variable(one_hot(targets_, logits.shape().back(), logits.dtype()));
      return sweep.add(input_, excess * g);
    }
    const Tensor g = ReverseSweep::gradient(output_);
    Tensor excess = sweep.keeps_tape() ? probabilities_.contiguous_copy()
                                       : std::exchange(probabilities_, Tensor());
    dispatch(g.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const Size classes = input_.shape().back();
      const T* weight = g.data<T>();
      T* p = excess.data<T>();
      const std::int64_t* target = targets_.data();
      const Size count = targets_.elements();
      for (Size row = 0; row < count; ++row, p += classes) {
        p[target[row]] -= T(1);
        for (Size i = 0; i < classes; ++i) p[i] *= weight[row];
      }
    });
    const Variable gradient(excess);
    excess = Tensor();  // `gradient` is now the only owner of the memory, so the sweep can adopt it
    sweep.add(input_, gradient);
  }

  static void compute(const Tensor& logits, const Indices& targets, const Tensor& losses,
                      Tensor* probabilities) {
    const Tensor dense = logits.dense();
    if (probabilities) *probabilities = Tensor(dense.shape(), dense.dtype());
    const Size classes = dense.shape().back();
    dispatch(dense.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* row = dense.data<T>();
      T* p = probabilities ? probabilities->data<T>() : nullptr;
      T* loss = losses.data<T>();
      const std::int64_t* target = targets.data();
      const Size count = targets.elements();
      for (Size i = 0; i < count; ++i, row += classes) {
        loss[i] = cross_entropy_row<T>(row, classes, target[i], p ? p + i * classes : nullptr);
      }
    });
  }
  Size saved_bytes() const override { return probabilities_ ? probabilities_.buffer().bytes() : 0; }

 private:
  Operand input_;
  Indices targets_;
  Tensor probabilities_;
};

/// The loss of each row; every target is a class.
Variable row_losses(const Variable& logits, const Indices& targets) {
  const Variable losses{Tensor(targets.shape(), logits.dtype())};
  const OperationScope scope;
  if (logits.recorded()) {
    Tape& tape = *Tape::current();
    auto operation = new_operation<CrossEntropy>(tape, logits, targets, tape);
    operation->start(logits.value(), losses.value());
    record(std::move(operation), losses);
  } else {
    CrossEntropy::compute(logits.value(), targets, losses.value(), nullptr);
  }
  scope.computed("cross_entropy", losses);
  return losses;
}

/// The targets of a batch, row by row.
struct Rows {
  Indices classes;  ///< ignored targets replaced by class 0
  Tensor ignored;   ///< 1 where ignored, else 0; empty when none is
  Tensor weight;    ///< of each row's class; empty when all are 1
  double total;     ///< the sum of the weights of rows that are not ignored
};

void check_class_targets(const char* op, const Variable& x, const Indices& targets,
                         const ClassOptions& options) {
  check_given(op, x);
  targets.check_given(op);
  Shape leading = x.shape();
  if (leading.rank() > 0) leading.erase(leading.rank() - 1);
  if (x.rank() == 0 || leading != targets.shape()) {
    fail<ShapeError>("{}: input {} needs targets of the same shape without the last axis, not {}",
                     op, x.shape(), targets.shape());
  }
  if (options.weight && options.weight.shape() != Shape{x.shape().back()}) {
    fail<ShapeError>("{}: class weights {} for {} classes", op, options.weight.shape(),
                     x.shape().back());
  }
}

Rows rows_of(const char* op, const Variable& x, const Indices& targets,
             const ClassOptions& options) {
  check_class_targets(op, x, targets, options);
  const Size count = targets.elements();
  Rows rows{targets, {}, {}, static_cast<double>(count)};
  const std::int64_t* begin = targets.data();
  if (std::find(begin, begin + count, options.ignore) != begin + count) {
    rows.classes = Indices(targets.shape());
    rows.ignored = Tensor(targets.shape(), x.dtype());
    std::int64_t* classes = rows.classes.data();
    for (Size i = 0; i < count; ++i) {
      const bool ignored = begin[i] == options.ignore;
      classes[i] = ignored ? 0 : begin[i];
      rows.ignored.set(i, ignored ? 1 : 0);
      rows.total -= ignored ? 1 : 0;
    }
  }
  rows.classes.check_range(op, "target", x.shape().back());
  if (!options.weight) return rows;
  rows.weight = Tensor(targets.shape(), x.dtype());
  rows.total = 0;
  for (Size i = 0; i < count; ++i) {
    rows.weight.set(i, options.weight.at(rows.classes[i]));
    if (!rows.ignored || rows.ignored.at(i) == 0) rows.total += rows.weight.at(i);
  }
  return rows;
}

Variable reduced(const char* op, const Variable& losses, const Rows& rows, Reduction reduction) {
  const Variable counted =
      rows.ignored ? Variable(masked_fill(losses, Variable(rows.ignored), 0)) : losses;
  if (reduction == Reduction::none) return counted;
  if (reduction == Reduction::sum) return sum(counted);
  if (losses.shape().elements() == 0) fail<ShapeError>("{}: there are no targets", op);
  if (rows.total == 0) {
    fail<Error>("{}: each of {} targets is ignored or of weight 0; they have no mean", op,
                losses.shape().elements());
  }
  return sum(counted) * (1 / rows.total);
}

}  // namespace

Variable cross_entropy(const Variable& logits, const Indices& targets,
                       const CrossEntropyOptions& options) {
  const double smoothing = options.label_smoothing;
  if (!(smoothing >= 0 && smoothing <= 1)) {
    fail<OptionError>("cross_entropy: label_smoothing {} is outside of [0, 1]", smoothing);
  }
  const Rows rows = rows_of("cross_entropy", logits, targets,
                            {options.reduction, options.ignore, options.weight});
  Variable losses = row_losses(logits, rows.classes);
  if (rows.weight) losses = losses * Variable(rows.weight);
  if (smoothing > 0) {
    Variable others = log_softmax(logits);
    if (options.weight) others = others * Variable(options.weight.to(logits.dtype()));
    losses = (1 - smoothing) * losses - smoothing * mean(others, {-1});
  }
  return reduced("cross_entropy", losses, rows, options.reduction);
}

Variable nll_loss(const Variable& log_probabilities, const Indices& targets,
                  const ClassOptions& options) {
  const Rows rows = rows_of("nll_loss", log_probabilities, targets, options);
  Shape column = targets.shape();
  column.push_back(1);
  const Indices classes(column);
  std::copy_n(rows.classes.data(), classes.elements(), classes.data());
  Variable losses = -squeeze(gather(log_probabilities, -1, classes), -1);
  if (rows.weight) losses = losses * Variable(rows.weight);
  return reduced("nll_loss", losses, rows, options.reduction);
}

}  // namespace hindsight
