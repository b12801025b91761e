#include <hindsight/autograd/log_ratio.h>
#include <hindsight/autograd/reduced_axes.h>
#include <hindsight/autograd/shape_ops.h>
#include <hindsight/autograd/structural.h>

namespace hindsight {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// x with the marked axes reduced to one element.
Shape reduced_shape(const Shape& shape, const std::array<bool, kMaxRank>& reduced) {
  Shape kept;
  for (int i = 0; i < shape.rank(); ++i)
    kept.push_back(reduced[static_cast<std::size_t>(i)] ? 1 : shape[i]);
  return kept;
}

/// Adds x into `to`, whose reduced axes have one element. In double, rounded once at the end.
void sum_into(const Tensor& x, const Tensor& to) {
  if (to.elements() == 1) {
    const Tensor dense = x.dense();
    dispatch(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* values = dense.data<T>();
      double lanes[8] = {};  // eight running sums: the compiler adds them side by side
      const Size n = dense.elements();
      Size i = 0;
      for (; i + 8 <= n; i += 8) {
        for (int l = 0; l < 8; ++l) lanes[l] += static_cast<double>(values[i + l]);
      }
      for (; i < n; ++i) lanes[0] += static_cast<double>(values[i]);
      to.set(0, ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
                    ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7])));
    });
    return;
  }
  const Tensor wide = Tensor::zeros(to.shape(), DType::f64);
  const Layout repeated = wide.layout().broadcast_to(x.shape());
  copy(x, wide.view(repeated), true);
  copy(wide, to);
}

Variable sum_marked(const Variable& x, const std::array<bool, kMaxRank>& reduced,
                    const Shape& result) {
  const Shape kept = reduced_shape(x.shape(), reduced);
  return apply(
      "sum", {x}, Retain::nothing, result, x.dtype(),
      [kept](Inputs in, const Tensor& out) {
        Layout wide(kept);
        wide.offset = out.layout().offset;
        sum_into(in[0], out.view(wide));
      },
      [kept](Flow& flow) {
        flow.add(0, broadcast_to(reshape(flow.gradient, kept), flow.shape(0)));
      });
}

}  // namespace

ReducedAxes::ReducedAxes(const char* op, const Variable& x, const Axes& axes, KeepDims keep) {
  check_given(op, x);
  const Shape& shape = x.shape();
  if (axes.empty()) reduced.fill(true);
  for (int axis : axes) {
    bool& mark = reduced[static_cast<std::size_t>(checked_axis(op, axis, shape.rank()))];
    if (mark) fail<IndexError>("{}: axis {} is named twice", op, axis);
    mark = true;
  }
  kept = reduced_shape(shape, reduced);
  Shape joined;
  for (int i = 0; i < shape.rank(); ++i) {
    const bool gone = reduced[static_cast<std::size_t>(i)];
    if (gone) joined.push_back(shape[i]);
    if (!gone || keep == KeepDims::yes) result.push_back(kept[i]);
  }
  count = joined.elements();
}

Variable sum(const Variable& x, const Axes& axes, KeepDims keep) {
  const ReducedAxes reduced("sum", x, axes, keep);
  return sum_marked(x, reduced.reduced, reduced.result);
}

Variable mean(const Variable& x, const Axes& axes, KeepDims keep) {
  const ReducedAxes reduced("mean", x, axes, keep);
  if (reduced.of_nothing()) fail<ShapeError>("mean: shape {} has no elements", x.shape());
  const Variable total = sum_marked(x, reduced.reduced, reduced.result);
  return total * (1.0 / static_cast<double>(std::max<Size>(1, reduced.count)));
}

Variable var(const Variable& x, const Axes& axes, KeepDims keep) {
  if (ReducedAxes("var", x, axes, keep).of_nothing())
    fail<ShapeError>("var: shape {} has no elements", x.shape());
  return mean(square(x - mean(x, axes, KeepDims::yes)), axes, keep);
}

Variable norm(const Variable& x, const Axes& axes, KeepDims keep) {
  const ReducedAxes reduced("norm", x, axes, keep);
  if (reduced.count == 0) return Variable(Tensor::zeros(reduced.result, x.dtype()));
  return apply(
      "norm", {x}, Retain::all, reduced.result, x.dtype(),
      [axes](Inputs in, const Tensor& out) {
        const Variable wide(in[0].to(DType::f64)), top = max(abs(wide), axes, KeepDims::yes);
        const Variable scale = where(greater(top, 0) * less(top, kInfinity), top, 1);
        const Variable y = scale * sqrt(sum(square(wide / scale), axes, KeepDims::yes));
        copy(reshape(y, out.shape()).value(), out);
      },
      [kept = reduced.kept](Flow& flow) {
        const Variable y = reshape(flow.output(), kept);
        flow.add(0, flow.input(0) / (y + is_zero(y)) * reshape(flow.gradient, kept));
      });
}

Variable logsumexp(const Variable& x, const Axes& axes, KeepDims keep) {
  const ReducedAxes reduced("logsumexp", x, axes, keep);
  if (reduced.count == 0) return Variable(Tensor::full(reduced.result, -kInfinity, x.dtype()));
  return apply(
      "logsumexp", {x}, Retain::all, reduced.result, x.dtype(),
      [axes](Inputs in, const Tensor& out) {
        const Variable values(in[0]), top = max(values, axes, KeepDims::yes);
        const Variable shift = where(less(abs(top), kInfinity), top, 0);
        const Variable y = shift + log(sum(exp(values - shift), axes, KeepDims::yes));
        copy(reshape(y, out.shape()).value(), out);
      },
      [kept = reduced.kept](Flow& flow) {
        const Variable y = reshape(flow.output(), kept);
        flow.add(0, exp(detail::log_ratio(flow.input(0), y)) * reshape(flow.gradient, kept));
      });
}

Variable sum_to(const Variable& x, const Shape& shape) {
  check_given("sum_to", x);
  if (x.shape() == shape) return x;
  if (!broadcasts_to(shape, x.shape()))
    fail<ShapeError>("sum_to: shape {} does not broadcast to {}", shape, x.shape());
  std::array<bool, kMaxRank> reduced{};
  const int extra = x.rank() - shape.rank();
  for (int i = 0; i < x.rank(); ++i) {
    reduced[static_cast<std::size_t>(i)] = i < extra || (shape[i - extra] == 1 && x.size(i) != 1);
  }
  return sum_marked(x, reduced, shape);
}

}  // namespace hindsight
