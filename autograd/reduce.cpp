#include <hindsight/autograd/reduce.h>
#include <hindsight/autograd/shape_ops.h>
#include <hindsight/autograd/structural.h>

namespace hindsight {
namespace {

/// x with the marked axes reduced to one element.
Shape reduced_shape(const Shape& shape, const std::array<bool, kMaxRank>& reduced) {
  Shape kept;
  for (int i = 0; i < shape.rank(); ++i)
    kept.push_back(reduced[static_cast<std::size_t>(i)] ? 1 : shape[i]);
  return kept;
}

std::array<bool, kMaxRank> marked(const char* op, const Shape& shape, const Axes& axes) {
  std::array<bool, kMaxRank> result{};
  if (axes.empty()) result.fill(true);
  for (int axis : axes) {
    bool& mark = result[static_cast<std::size_t>(checked_axis(op, axis, shape.rank()))];
    if (mark) fail<IndexError>("{}: axis {} is named twice", op, axis);
    mark = true;
  }
  return result;
}

/// Adds x into `to`, whose reduced axes have one element. In double, rounded once at the end.
void sum_into(const Tensor& x, const Tensor& to) {
  if (to.elements() == 1) {
    const Tensor dense = x.contiguous() ? x : x.contiguous_copy();
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

Variable sum(const Variable& x, const Axes& axes, KeepDims keep) {
  const auto reduced = marked("sum", x.shape(), axes);
  Shape result;
  for (int i = 0; i < x.rank(); ++i) {
    if (!reduced[static_cast<std::size_t>(i)]) {
      result.push_back(x.size(i));
    } else if (keep == KeepDims::yes) {
      result.push_back(1);
    }
  }
  return sum_marked(x, reduced, result);
}

Variable mean(const Variable& x, const Axes& axes, KeepDims keep) {
  const Variable total = sum(x, axes, keep);
  const Size count = x.shape().elements() / std::max<Size>(1, total.shape().elements());
  if (count == 0) fail<ShapeError>("mean: shape {} has no elements", x.shape());
  return total * (1.0 / static_cast<double>(count));
}

Variable sum_to(const Variable& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  std::array<bool, kMaxRank> reduced{};
  const int extra = x.rank() - shape.rank();
  for (int i = 0; i < x.rank(); ++i) {
    reduced[static_cast<std::size_t>(i)] = i < extra || (shape[i - extra] == 1 && x.size(i) != 1);
  }
  return sum_marked(x, reduced, shape);
}

}  // namespace hindsight
