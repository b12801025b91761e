#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/scan.h>
#include <hindsight/autograd/ops/scan_lines.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace hindsight {
namespace {

using detail::opposite;
using detail::scan;
using detail::shifted;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Variable running_sum(const Variable& x, int axis, Direction direction) {
  return apply(
      "cumsum", {x}, Save::nothing, x.shape(), x.dtype(),
      [=](Inputs in, const Tensor& out) {
        const Tensor dense = in[0].dense();
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          const T* values = dense.data<T>();
          scan<T>(out, axis, 0, direction, [=](Size at, double running) {
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
          scan<T>(out, axis, -kInfinity, Direction::forward, [=](Size at, double running) {
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

}  // namespace hindsight
