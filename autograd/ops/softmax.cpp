#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/reduce.h>
#include <hindsight/autograd/ops/softmax.h>
#include <hindsight/autograd/ops/softmax_rows.h>

#include <cmath>

namespace hindsight {
namespace {

template <class T>
void softmax_row(const T* x, T* out, Size n) {
  const T scale = T(1) / detail::exp_row(x, detail::largest(x, n), out, n);
  for (Size i = 0; i < n; ++i) out[i] *= scale;
}

// (x - top) comes first, as it is exact near the top; top + log(total) would round to the precision
// of top.
template <class T>
void log_softmax_row(const T* x, T* out, Size n) {
  const T top = detail::largest(x, n);
  const T log_total = std::log(detail::exp_row<T>(x, top, nullptr, n));
  for (Size i = 0; i < n; ++i) out[i] = (x[i] - top) - log_total;
}

/// Exchanges an axis with the last one, as a view; its own inverse.
Variable axis_last(const Variable& x, int axis) { return transpose(x, axis, -1); }

int checked_filled_axis(const char* op, const Variable& x, int axis) {
  axis = checked_axis(op, axis, x);
  if (x.size(axis) == 0) fail<ShapeError>("{}: axis {} of shape {} is empty", op, axis, x.shape());
  return axis;
}

/// Calls f(row of the input, row of the output, n) for every row of n elements.
template <class F>
void for_each_row(Inputs in, const Tensor& out, F&& f) {
  const Size n = out.shape().back(), rows = out.elements() / n;
  dispatch(out.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* x = in[0].data<T>();
    T* y = out.data<T>();
    for (Size r = 0; r < rows; ++r) f(x + r * n, y + r * n, n);
  });
}

}  // namespace

Variable softmax(const Variable& x, int axis) {
  axis = checked_filled_axis("softmax", x, axis);
  if (axis != x.rank() - 1) return axis_last(softmax(axis_last(x, axis)), axis);
  const Variable dense = contiguous(x);
  return apply(
      "softmax", {dense}, Save::output, dense.shape(), dense.dtype(),
      [](Inputs in, const Tensor& out) {
        for_each_row(in, out, [](const auto* row, auto* y, Size n) { softmax_row(row, y, n); });
      },
      [](BackwardContext& ctx) {
        const Variable y = ctx.output();
        ctx.add(0, y * (ctx.gradient - sum(ctx.gradient * y, {-1}, KeepDims::yes)));
      });
}

Variable log_softmax(const Variable& x, int axis) {
  axis = checked_filled_axis("log_softmax", x, axis);
  if (axis != x.rank() - 1) return axis_last(log_softmax(axis_last(x, axis)), axis);
  const Variable dense = contiguous(x);
  return apply(
      "log_softmax", {dense}, Save::output, dense.shape(), dense.dtype(),
      [](Inputs in, const Tensor& out) {
        for_each_row(in, out, [](const auto* row, auto* y, Size n) { log_softmax_row(row, y, n); });
      },
      [](BackwardContext& ctx) {
        ctx.add(0, ctx.gradient - exp(ctx.output()) * sum(ctx.gradient, {-1}, KeepDims::yes));
      });
}

}  // namespace hindsight
