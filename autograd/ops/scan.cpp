#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/scan.h>

#include <cmath>

namespace hindsight {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Direction opposite(Direction direction) {
  return direction == Direction::forward ? Direction::reverse : Direction::forward;
}

/// Fills `out` along an axis: each element is step(position, running), where `running` is the value
/// of the element before it, in double.
template <class T, class Step>
void scan(const Tensor& out, int axis, Direction direction, double start, Step&& step) {
  Size outer = 1, inner = 1;
  for (int i = 0; i < out.rank(); ++i) (i < axis ? outer : inner) *= i == axis ? 1 : out.size(i);
  const Size count = out.size(axis);
  const Tensor lines(Shape{inner}, DType::f64);
  double* running = lines.data<double>();
  T* results = out.data<T>();
  for (Size o = 0; o < outer; ++o) {
    lines.fill(start);
    for (Size k = 0; k < count; ++k) {
      const Size i = direction == Direction::forward ? k : count - 1 - k;
      for (Size j = 0; j < inner; ++j) {
        const Size at = (o * count + i) * inner + j;
        running[j] = step(at, running[j]);
        results[at] = static_cast<T>(running[j]);
      }
    }
  }
}

Variable running_sum(const Variable& x, int axis, Direction direction) {
  return apply(
      "cumsum", {x}, Save::nothing, x.shape(), x.dtype(),
      [=](Inputs in, const Tensor& out) {
        const Tensor dense = in[0].dense();
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          const T* values = dense.data<T>();
          scan<T>(out, axis, direction, 0, [=](Size at, double running) {
            return running + static_cast<double>(values[at]);
          });
        });
      },
      [=](BackwardContext& ctx) {
        ctx.add(0, running_sum(ctx.gradient, axis, opposite(direction)));
      });
}

double log_add(double a, double b) {
  const double top = std::max(a, b);
  if (std::isinf(a) || std::isinf(b)) return std::isnan(a) || std::isnan(b) ? a + b : top;
  return top + std::log1p(std::exp(-std::abs(a - b)));
}

/// Replaces element i by the one before it (in reverse, after it), or by `edge` at the end.
Variable shifted(const Variable& x, int axis, Direction direction, const Variable& edge) {
  const Size rest = x.size(axis) - 1;
  if (direction == Direction::forward) return concat({edge, slice(x, axis, 0, rest)}, axis);
  return concat({slice(x, axis, 1, rest), edge}, axis);
}

Variable shifted(const Variable& x, int axis, Direction direction) {
  Shape one = x.shape();
  one.set(axis, 1);
  return shifted(x, axis, direction, Variable(Tensor::zeros(one, x.dtype())));
}

}  // namespace

Variable cumsum(const Variable& x, int axis) {
  return running_sum(x, checked_axis("cumsum", axis, x), Direction::forward);
}

Variable logcumsumexp(const Variable& x, int axis) {
  axis = checked_axis("logcumsumexp", axis, x);
  if (x.shape().elements() == 0) return x;
  return apply(
      "logcumsumexp", {x}, Save::all, x.shape(), x.dtype(),
      [axis](Inputs in, const Tensor& out) {
        const Tensor dense = in[0].dense();
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          const T* values = dense.data<T>();
          scan<T>(out, axis, Direction::forward, -kInfinity, [=](Size at, double running) {
            return log_add(running, static_cast<double>(values[at]));
          });
        });
      },
      [axis](BackwardContext& ctx) {
        const Variable y = ctx.output(), last = slice(y, axis, y.size(axis) - 1, 1);
        const Variable decay =
            exp(detail::log_ratio(y, shifted(y, axis, Direction::reverse, last)));
        ctx.add(0, exp(detail::log_ratio(ctx.input(0), y)) *
                       linear_recurrence(decay, ctx.gradient, axis, Direction::reverse));
      });
}

Variable linear_recurrence(const Variable& decay, const Variable& x, int axis,
                           Direction direction) {
  check_given("linear_recurrence", decay);
  check_given("linear_recurrence", x, 1);
  axis = checked_axis("linear_recurrence", axis, x.rank());
  check_same_dtype("linear_recurrence", decay, x);
  if (decay.shape() != x.shape())
    fail<ShapeError>("linear_recurrence: decay is {} but x is {}: the shapes must match",
                     decay.shape(), x.shape());
  if (x.shape().elements() == 0) return x;
  return apply(
      "linear_recurrence", {decay, x}, Save::all, x.shape(), x.dtype(),
      [=](Inputs in, const Tensor& out) {
        const Tensor factors = in[0].dense(), dense = in[1].dense();
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          const T *factor = factors.data<T>(), *values = dense.data<T>();
          scan<T>(out, axis, direction, 0, [=](Size at, double running) {
            return static_cast<double>(factor[at]) * running + static_cast<double>(values[at]);
          });
        });
      },
      [=](BackwardContext& ctx) {
        const Direction back = opposite(direction);
        const Variable h =
            linear_recurrence(shifted(ctx.input(0), axis, back), ctx.gradient, axis, back);
        if (ctx.needs_gradient(0)) ctx.add(0, h * shifted(ctx.output(), axis, direction));
        ctx.add(1, h);
      });
}

}  // namespace hindsight
