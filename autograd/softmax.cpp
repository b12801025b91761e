#include <hindsight/autograd/reduce.h>
#include <hindsight/autograd/shape_ops.h>
#include <hindsight/autograd/softmax.h>
#include <hindsight/autograd/structural.h>

#include <cmath>

namespace hindsight {
namespace {

using simd::kWidth;

/// The largest of n values, n > 0. NaN wins, so that it is seen.
template <class T>
T largest(const T* x, Size n) {
  T best = x[0];
  Size i = 0;
  if (n >= kWidth<T>) {
    auto m = simd::load(x);
    for (i = kWidth<T>; i + kWidth<T> <= n; i += kWidth<T>) m = xsimd::max(m, simd::load(x + i));
    alignas(64) T lanes[static_cast<std::size_t>(kWidth<T>)];
    m.store_aligned(lanes);
    best = lanes[0];
    for (T lane : lanes) best = lane > best ? lane : best;
  }
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

/// out = exp(x - shift); returns the sum. `out` may be null.
template <class T>
T exp_row(const T* x, T shift, T* out, Size n) {
  const simd::Batch<T> s(shift);
  simd::Batch<T> sum(T(0));
  Size i = 0;
  for (; i + kWidth<T> <= n; i += kWidth<T>) {
    const auto e = xsimd::exp(simd::load(x + i) - s);
    if (out) simd::store(out + i, e);
    sum += e;
  }
  T total = xsimd::hadd(sum);
  if (i < n) {
    const auto e = xsimd::exp(simd::load(x + i) - s);
    alignas(64) T lanes[static_cast<std::size_t>(kWidth<T>)];
    e.store_aligned(lanes);
    for (Size j = 0; i + j < n; ++j) total += lanes[j];
    if (out) simd::store_first(out + i, e, n - i);
  }
  return total;
}

template <class T>
void log_softmax_rows(const T* x, T* out, Size rows, Size n) {
  for (Size r = 0; r < rows; ++r, x += n, out += n) {
    const T top = largest(x, n);
    const T shift = top + std::log(exp_row<T>(x, top, nullptr, n));
    for (Size i = 0; i < n; ++i) out[i] = x[i] - shift;
  }
}

/// Axis moved to the end, as a view.
Variable axis_last(const Variable& x, int axis) {
  return axis == x.rank() - 1 ? x : transpose(x, axis, -1);
}

/// The loss of one row; `probabilities` (may be null) receives the softmax.
template <class T>
T cross_entropy_row(const T* logits, Size classes, Size target, T* probabilities) {
  const T top = largest(logits, classes);
  const T total = exp_row(logits, top, probabilities, classes);
  if (probabilities) {
    const T scale = T(1) / total;
    for (Size i = 0; i < classes; ++i) probabilities[i] *= scale;
  }
  return std::log(total) - (logits[target] - top);
}

Tensor one_hot(const Indices& targets, Size classes, DType dtype) {
  Shape shape = targets.shape();
  shape.push_back(classes);
  const Tensor result = Tensor::zeros(shape, dtype);
  for (Size i = 0; i < targets.elements(); ++i) result.set(i * classes + targets[i], 1);
  return result;
}

/// Loss of each row, the softmax kept for the way back.
class CrossEntropy final : public Operation {
 public:
  CrossEntropy(const Variable& logits, const Indices& targets, std::uint64_t tape)
      : input_(logits, Operand::Keep::nothing, tape), targets_(targets) {}
  const char* name() const override { return "cross_entropy"; }
  std::pair<const Operand*, int> inputs() const override { return {&input_, 1}; }
  void run() override {
    const Tensor logits = input_.variable().value();
    Node* node = output_.node();
    node->value = Buffer(node->shape.elements() * bytes_of(node->dtype));
    compute(logits, targets_, output_.variable().value(), &probabilities_);
  }
  void start(const Tensor& logits, const Tensor& losses) {
    compute(logits, targets_, losses, &probabilities_);
  }

  void backward(Sweep& sweep) override {
    if (sweep.recorded()) {
      const Variable logits = input_.variable(),
                     g = unsqueeze(sweep.gradient_variable(output_), -1);
      const Variable excess = exp(log_softmax(logits)) -
                              Variable(one_hot(targets_, logits.shape().back(), logits.dtype()));
      return sweep.add(input_, excess * g);
    }
    const Tensor g = Sweep::gradient(output_);
    Tensor excess = sweep.keeps_tape() ? probabilities_.contiguous_copy()
                                       : std::exchange(probabilities_, Tensor());
    dispatch(g.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const Size classes = input_.shape().back();
      const T* weight = g.data<T>();
      T* p = excess.data<T>();
      for (Size row = 0; row < targets_.elements(); ++row, p += classes) {
        p[targets_[row]] -= T(1);
        for (Size i = 0; i < classes; ++i) p[i] *= weight[row];
      }
    });
    const Variable gradient(excess);
    excess = Tensor();  // the only owner of the memory now is `gradient`: the sweep takes it over
    sweep.add(input_, gradient);
  }

  static void compute(const Tensor& logits, const Indices& targets, const Tensor& losses,
                      Tensor* probabilities) {
    const Tensor dense = logits.contiguous() ? logits : logits.contiguous_copy();
    if (probabilities) *probabilities = Tensor(dense.shape(), dense.dtype());
    const Size classes = dense.shape().back();
    dispatch(dense.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* row = dense.data<T>();
      T* p = probabilities ? probabilities->data<T>() : nullptr;
      T* loss = losses.data<T>();
      for (Size i = 0; i < targets.elements(); ++i, row += classes) {
        loss[i] = cross_entropy_row<T>(row, classes, targets[i], p ? p + i * classes : nullptr);
      }
    });
  }

 private:
  Operand input_;
  Indices targets_;
  Tensor probabilities_;
};

}  // namespace

Variable log_softmax(const Variable& x, int axis) {
  axis = checked_axis("log_softmax", axis, x.rank());
  if (x.size(axis) == 0)
    fail<ShapeError>("log_softmax: axis {} of shape {} is empty", axis, x.shape());
  if (axis != x.rank() - 1) return axis_last(log_softmax(axis_last(x, axis)), axis);
  const Variable dense = contiguous(x);
  return apply(
      "log_softmax", {dense}, Retain::output, dense.shape(), dense.dtype(),
      [](Inputs in, const Tensor& out) {
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          const Size n = out.shape().back();
          log_softmax_rows(in[0].data<T>(), out.data<T>(), out.elements() / n, n);
        });
      },
      [](Flow& flow) {
        flow.add(0, flow.gradient - exp(flow.output()) * sum(flow.gradient, {-1}, KeepDims::yes));
      });
}

Variable cross_entropy(const Variable& logits, const Indices& targets,
                       const CrossEntropyOptions& options) {
  Shape leading = logits.shape();
  if (leading.rank() > 0) leading.erase(leading.rank() - 1);
  if (logits.rank() == 0 || leading != targets.shape()) {
    fail<ShapeError>(
        "cross_entropy: logits {} need targets of the same shape without the last axis, not {}",
        logits.shape(), targets.shape());
  }
  const Size classes = logits.shape().back();
  for (Size i = 0; i < targets.elements(); ++i) {
    if (targets[i] < 0 || targets[i] >= classes) {
      fail<IndexError>("cross_entropy: target {} at position {} is outside of [0, {})", targets[i],
                       i, classes);
    }
  }
  if (targets.elements() == 0 && options.reduction == Reduction::mean)
    fail<ShapeError>("cross_entropy: there are no targets");
  const Variable losses{Tensor(leading, logits.dtype())};
  if (logits.recorded()) {
    auto* operation = new_operation<CrossEntropy>(logits, targets, Tape::current()->id());
    operation->start(logits.value(), losses.value());
    operation->record_output(losses);
  } else {
    CrossEntropy::compute(logits.value(), targets, losses.value(), nullptr);
  }
  if (finite_checks()) check_finite("cross_entropy", losses);
  switch (options.reduction) {
    case Reduction::none:
      return losses;
    case Reduction::sum:
      return sum(losses);
    case Reduction::mean:
      break;
  }
  return mean(losses);
}

}  // namespace hindsight
