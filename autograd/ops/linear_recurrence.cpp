#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/scan.h>
#include <hindsight/autograd/ops/scan_lines.h>
#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/sweep.h>

#include <algorithm>
#include <utility>

namespace hindsight {
namespace {

using detail::kBlock;
using detail::Lines;
using detail::opposite;
using detail::Range;
using detail::shifted;

/// y_i = decay_i y_(i-1) + x_i from y_(-1) = initial. `initial` is empty for zeros.
void recur(const Tensor& decay, const Tensor& x, const Tensor& initial, int axis,
           Direction direction, const Tensor& y) {
  const Tensor factors = decay.dense(), addends = x.dense();
  const Tensor starts = initial ? initial.dense() : initial;
  const Lines lines(y.shape(), axis);
  dispatch(y.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T *factor = factors.data<T>(), *addend = addends.data<T>();
    const T* from = starts ? starts.data<T>() : nullptr;
    detail::for_all_lines(lines, [&](Range range) {
      detail::scan(
          lines, range, direction, y.data<T>(),
          [=](Size line) { return from ? static_cast<double>(from[line]) : 0; },
          [=](Size at, double running) {
            return static_cast<double>(factor[at]) * running + static_cast<double>(addend[at]);
          });
    });
  });
}

/// Memory for an operand's gradient, contiguous: where it is accumulated, or, where that has
/// gaps, a tensor that finish() adds to it.
class Destination {
 public:
  /// A node must not be `direct` twice: the first pointer may be invalid after the second one.
  Destination(const Operand& operand, bool direct) : operand_(operand) {
    if (!operand.needs_gradient()) return;
    const DType dtype = operand.node()->dtype;
    if (direct && operand.layout().contiguous()) {
      const Gradient::Target target = ReverseSweep::target(operand);
      begin_ = target.base + operand.layout().offset * bytes_of(dtype);
      accumulate_ = target.accumulate;
    } else {
      values_ = Tensor(operand.shape(), dtype);
      begin_ = values_.bytes();
    }
  }
  bool accumulate() const { return accumulate_; }
  template <class T>
  T* data() const {  ///< null if no gradient is needed
    return reinterpret_cast<T*>(begin_);
  }
  void finish(ReverseSweep& sweep) {
    if (!values_) return;
    const Variable gradient(std::exchange(values_, Tensor()));  // the memory's only owner, so that
    sweep.add(operand_, gradient);                              // the sweep can adopt it
  }

 private:
  const Operand& operand_;
  Tensor values_;
  std::byte* begin_ = nullptr;
  bool accumulate_ = false;
};

/// One of the gradients that RecurrenceBackward computes.
template <class T>
struct Part {
  T* to;  ///< null if it is not needed
  bool accumulate;

  Part(const Destination& destination)  // NOLINT: converting is the point
      : to(destination.data<T>()), accumulate(destination.accumulate()) {}
  /// The row at `at`, or `other` if it is not needed.
  T* row(Size at, T* other) const { return to ? to + at : other; }
};

/// h_i = g_i + decay_(i+1) h_(i+1), with the gradients that are computed from it in the same pass:
///   dL/dx = h,   dL/ddecay_i = h_i y_(i-1),   dL/dinitial = decay_0 h_0
/// y is null if the gradient for decay is not needed, initial if it is zero.
template <class T>
struct RecurrenceBackward {
  Lines lines;
  Direction direction;
  const T *decay, *initial, *y, *gradient;
  Part<T> to_decay, to_x, to_initial;

  void operator()(Range range) const {
    detail::for_each_block(lines, range, [&](Size line, Size width) { block(line, width); });
  }

 private:
  static constexpr T kZeros[kBlock] = {};

  void block(Size line, Size width) const {
    double carried[kBlock];  // decay_(i+1) h_(i+1)
    T unused[kBlock];
    std::fill_n(carried, width, 0.0);
    const bool forward = direction == Direction::forward;
    const Size first = lines.start(line), before = forward ? -lines.inner : lines.inner;
    for (Size k = lines.count - 1; k >= 0; --k) {
      const Size row = first + (forward ? k : lines.count - 1 - k) * lines.inner;
      const T *g = gradient + row, *factor = decay + row;
      const T* previous = k > 0 && y          ? y + row + before
                          : k == 0 && initial ? initial + line
                                              : kZeros;
      T *x = to_x.row(row, unused), *d = to_decay.row(row, unused);
      const T *old_x = to_x.accumulate ? x : kZeros, *old_d = to_decay.accumulate ? d : kZeros;
      HINDSIGHT_INDEPENDENT_ITERATIONS
      for (Size j = 0; j < width; ++j) {
        const double h = static_cast<double>(g[j]) + carried[j];
        carried[j] = static_cast<double>(factor[j]) * h;
        x[j] = old_x[j] + static_cast<T>(h);
        d[j] = old_d[j] + static_cast<T>(h) * previous[j];
      }
    }
    if (!to_initial.to) return;
    T* const start = to_initial.to + line;
    for (Size j = 0; j < width; ++j)
      start[j] = static_cast<T>(carried[j]) + (to_initial.accumulate ? start[j] : T(0));
  }
};

class LinearRecurrence final : public Operation {
 public:
  /// `initial` may be empty.
  LinearRecurrence(const Variable& decay, const Variable& x, const Variable& initial, int axis,
                   Direction direction, Tape& tape)
      : axis_(axis), direction_(direction), count_(initial ? 3 : 2) {
    inputs_[0] = Operand(decay, Operand::Save::value, tape);
    inputs_[1] = Operand(x, Operand::Save::nothing, tape);
    if (initial) inputs_[2] = Operand(initial, Operand::Save::value, tape);
  }
  const char* name() const override { return "linear_recurrence"; }
  std::pair<const Operand*, int> inputs() const override { return {inputs_, count_}; }
  void run() override {
    Node* node = output_.node();
    node->value = Buffer(node->bytes());
    compute(output_.variable().value());
  }
  void compute(const Tensor& y) const {
    recur(decay().variable().value(), x().variable().value(), value_of(initial().variable()), axis_,
          direction_, y);
  }
  /// Only the gradient for `decay` is computed from it.
  void save_output(const Variable& y) {
    if (decay().recorded()) y_ = y;
  }

  void backward(ReverseSweep& sweep) override;
  void jvp(ForwardSweep& sweep) override;
  bool jvp_reads_only_saved() const override { return true; }

 private:
  static Tensor value_of(const Variable& v) { return v ? v.value().dense() : Tensor(); }
  const Operand& decay() const { return inputs_[0]; }
  const Operand& x() const { return inputs_[1]; }
  const Operand& initial() const { return inputs_[2]; }
  Variable previous() const;
  void backward_recorded(ReverseSweep& sweep) const;

  int axis_;
  Direction direction_;
  int count_;
  Operand inputs_[3];
  Variable y_;
};

void LinearRecurrence::backward(ReverseSweep& sweep) {
  if (sweep.recorded()) return backward_recorded(sweep);
  const Tensor g = ReverseSweep::gradient(output_), factors = value_of(decay().variable()),
               start = value_of(initial().variable()), y = value_of(y_);
  const Node *a = decay().node(), *b = x().node(), *c = initial().node();
  Destination to_x(x(), true), to_decay(decay(), a != b), to_initial(initial(), c != a && c != b);
  dispatch(g.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const auto data = [](const Tensor& t) { return t ? t.data<T>() : nullptr; };
    const Lines lines(g.shape(), axis_);
    const RecurrenceBackward<T> all{lines,   direction_, data(factors), data(start), data(y),
                                    data(g), to_decay,   to_x,          to_initial};
    detail::for_all_lines(lines, all);
  });
  to_decay.finish(sweep);
  to_x.finish(sweep);
  to_initial.finish(sweep);
}

/// y_(i-1), from y_(-1) = initial.
Variable LinearRecurrence::previous() const {
  if (count_ == 2) return shifted(y_, axis_, direction_);
  return shifted(y_, axis_, direction_, unsqueeze(initial().variable(), axis_));
}

void LinearRecurrence::backward_recorded(ReverseSweep& sweep) const {
  const Direction back = opposite(direction_);
  const Variable factors = decay().variable();
  const Variable h = linear_recurrence(shifted(factors, axis_, back),
                                       sweep.gradient_variable(output_), axis_, back);
  if (decay().needs_gradient()) sweep.add(decay(), h * previous());
  sweep.add(x(), h);
  if (!initial().needs_gradient()) return;
  const Size first = direction_ == Direction::forward ? 0 : h.size(axis_) - 1;
  sweep.add(initial(), squeeze(slice(factors, axis_, first, 1) * slice(h, axis_, first, 1), axis_));
}

// y'_i = decay_i y'_(i-1) + x'_i + decay'_i y_(i-1) from y'_(-1) = initial'.
void LinearRecurrence::jvp(ForwardSweep& sweep) {
  Variable moved = sweep.tangent(x());
  if (const Variable factors = sweep.tangent(decay())) {
    const Variable part = factors * previous();
    moved = moved ? Variable(moved + part) : part;
  }
  const Variable start = initial().node() ? sweep.tangent(initial()) : Variable();
  if (!moved && !start) return;
  const Variable factors = decay().variable();
  if (!moved) moved = Variable(Tensor::zeros(factors.shape(), factors.dtype()));
  sweep.set(output_, start ? linear_recurrence(factors, moved, axis_, start, direction_)
                           : linear_recurrence(factors, moved, axis_, direction_));
}

void check_recurrence(const Variable& decay, const Variable& x) {
  check_same_dtype("linear_recurrence", decay, x);
  if (decay.shape() == x.shape()) return;
  fail<ShapeError>("linear_recurrence: decay is {} but x is {}: the shapes must match",
                   decay.shape(), x.shape());
}

void check_initial(const Variable& x, const Variable& initial, int axis) {
  check_same_dtype("linear_recurrence", x, initial);
  Shape wanted = x.shape();
  wanted.erase(axis);
  if (initial.shape() == wanted) return;
  fail<ShapeError>("linear_recurrence: initial is {} but x is {}: along axis {}, it must be {}",
                   initial.shape(), x.shape(), axis, wanted);
}

/// With checked inputs; `initial` is empty for zeros.
Variable recurrence(const Variable& decay, const Variable& x, int axis, const Variable& initial,
                    Direction direction) {
  if (x.shape().elements() == 0) return x;
  const Variable y = Variable::make(x.shape(), x.dtype());
  const auto recorded = [](const Variable& v) { return v && v.recorded(); };
  const OperationScope scope;
  if (recorded(decay) || recorded(x) || recorded(initial)) {
    Tape& tape = *Tape::current();
    auto operation =
        new_operation<LinearRecurrence>(tape, decay, x, initial, axis, direction, tape);
    operation->compute(y.value());
    operation->save_output(y);
    record(std::move(operation), y);
  } else {
    recur(decay.value(), x.value(), initial ? initial.value() : Tensor(), axis, direction,
          y.value());
  }
  scope.computed("linear_recurrence", y);
  return y;
}

}  // namespace

Variable linear_recurrence(const Variable& decay, const Variable& x, int axis,
                           Direction direction) {
  check_given("linear_recurrence", decay);
  check_given("linear_recurrence", x, 1);
  axis = checked_axis("linear_recurrence", axis, x.rank());
  check_recurrence(decay, x);
  return recurrence(decay, x, axis, Variable(), direction);
}

Variable linear_recurrence(const Variable& decay, const Variable& x, int axis,
                           const Variable& initial, Direction direction) {
  check_given("linear_recurrence", decay);
  check_given("linear_recurrence", x, 1);
  check_given("linear_recurrence", initial, 2);
  axis = checked_axis("linear_recurrence", axis, x.rank());
  check_recurrence(decay, x);
  check_initial(x, initial, axis);
  return recurrence(decay, x, axis, initial, direction);
}

}  // namespace hindsight
