#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/reduce.h>

namespace hindsight {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The shape with the reduced axes at one element.
Shape reduced_shape(const Shape& shape, const std::array<bool, kMaxRank>& reduced) {
  Shape kept;
  for (int i = 0; i < shape.rank(); ++i)
    kept.push_back(reduced[static_cast<std::size_t>(i)] ? 1 : shape[i]);
  return kept;
}

/// The axes that a reduction removes, and the shapes that result.
struct ReducedAxes {
  /// IndexError naming `op` for an axis out of range or given twice, Error for an empty Variable.
  ReducedAxes(const char* op, const Variable& x, const Axes& axes, KeepDims keep);
  /// Whether there are results, each computed from no elements.
  bool of_nothing() const { return count == 0 && result.elements() > 0; }

  std::array<bool, kMaxRank> reduced{};
  Shape kept;      ///< reduced axes have one element
  Shape result;    ///< the same, or with these axes dropped
  Size count = 1;  ///< elements reduced to one
};

ReducedAxes::ReducedAxes(const char* op, const Variable& x, const Axes& axes, KeepDims keep) {
  check_given(op, x);
  const Shape& shape = x.shape();
  if (axes.empty()) reduced.fill(true);
  for (int axis : axes) {
    bool& mark = reduced[static_cast<std::size_t>(checked_axis(op, axis, shape.rank()))];
    if (mark) fail<IndexError>("{}: axis {} is given twice", op, axis);
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

Variable sum_marked(const Variable& x, const std::array<bool, kMaxRank>& reduced,
                    const Shape& result) {
  const Shape kept = reduced_shape(x.shape(), reduced);
  return apply(
      "sum", {x}, Save::nothing, result, x.dtype(),
      [kept](Inputs in, const Tensor& out) {
        Layout wide(kept);
        wide.offset = out.layout().offset;
        sum_into(in[0], out.view(wide));
      },
      [kept](BackwardContext& ctx) {
        ctx.add(0, broadcast_to(reshape(ctx.gradient, kept), ctx.shape(0)));
      });
}

/// x as a matrix with the reduced elements along one axis: the last if they are contiguous, else
/// the first.
Variable gathered(const Variable& x, const ReducedAxes& axes, int* axis) {
  const Size others = axes.kept.elements();
  Axes order, rest;
  bool trailing = true;
  for (int i = 0; i < x.rank(); ++i) {
    const bool reduced = axes.reduced[static_cast<std::size_t>(i)];
    trailing = trailing && (reduced || order.empty());
    (reduced ? order : rest).push_back(i);
  }
  *axis = trailing ? 1 : 0;
  if (trailing) return reshape(x, Shape{others, axes.count});
  for (int other : rest) order.push_back(other);
  return reshape(permute(x, order), Shape{axes.count, others});
}

/// Joins the first half of the elements with the second until one is left: log2(count) passes.
template <class Join>
Variable fold(const Variable& x, const ReducedAxes& axes, Join&& join) {
  int axis = 0;
  Variable all = gathered(x, axes, &axis), odd;
  for (Size count = axes.count; count > 1; count /= 2) {
    const Size half = count / 2;
    if (count % 2 == 1) {
      const Variable last = slice(all, axis, count - 1, 1);
      odd = odd ? join(odd, last) : last;
    }
    all = join(slice(all, axis, 0, half), slice(all, axis, half, half));
  }
  return reshape(odd ? join(all, odd) : all, axes.result);
}

// All elements that equal the result get equal parts of the gradient.
template <class Join>
Variable extreme(const char* name, const Variable& x, const ReducedAxes& axes, const Join& join) {
  if (axes.of_nothing())
    fail<ShapeError>("{}: shape {} has no elements to choose from", name, x.shape());
  return apply(
      name, {x}, Save::all, axes.result, x.dtype(),
      [axes, join](Inputs in, const Tensor& out) {
        copy(fold(Variable(in[0]), axes, join).value(), out);
      },
      [kept = axes.kept](BackwardContext& ctx) {
        const Variable mask = equal(ctx.input(0).detach(), reshape(ctx.output().detach(), kept));
        const Variable share = mask / sum_to(mask, kept);
        ctx.add(0, share * reshape(ctx.gradient, kept));
      });
}

/// Whether `value` replaces the largest element so far; NaN does and is not replaced.
template <class T>
bool beats(T value, T best) {
  return value > best || (value != value && best == best);
}

}  // namespace

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

Variable max(const Variable& x, const Axes& axes, KeepDims keep) {
  return extreme("max", x, ReducedAxes("max", x, axes, keep),
                 [](const Variable& a, const Variable& b) { return Variable(maximum(a, b)); });
}

Variable min(const Variable& x, const Axes& axes, KeepDims keep) {
  return extreme("min", x, ReducedAxes("min", x, axes, keep),
                 [](const Variable& a, const Variable& b) { return Variable(minimum(a, b)); });
}

Variable prod(const Variable& x, const Axes& axes, KeepDims keep) {
  const ReducedAxes reduced("prod", x, axes, keep);
  if (reduced.count == 0) return Variable(Tensor::full(reduced.result, 1, x.dtype()));
  return fold(x, reduced, [](const Variable& a, const Variable& b) { return Variable(a * b); });
}

Indices argmax(const Variable& x, int axis, KeepDims keep) {
  axis = checked_axis("argmax", axis, x);
  const ReducedAxes reduced("argmax", x, {axis}, keep);
  if (reduced.of_nothing())
    fail<ShapeError>("argmax: axis {} of shape {} is empty", axis, x.shape());
  const Indices result(reduced.result);
  int along = 0;
  const Tensor values = gathered(x.detach(), reduced, &along).value().dense();
  const Size others = result.elements();
  dispatch(values.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* all = values.data<T>();
    std::int64_t* to = result.data();
    const Size step = along == 1 ? 1 : others, row = along == 1 ? reduced.count : 1;
    for (Size r = 0; r < others; ++r) {
      const T* line = all + r * row;
      Size best = 0;
      for (Size i = 1; i < reduced.count; ++i) {
        if (beats(line[i * step], line[best * step])) best = i;
      }
      to[r] = best;
    }
  });
  return result;
}

Indices argmax(const Variable& x) {
  check_given("argmax", x);
  if (x.shape().elements() == 0) fail<ShapeError>("argmax: shape {} has no elements", x.shape());
  const Indices position = argmax(reshape(x.detach(), Shape{x.shape().elements()}), 0);
  return Indices(std::vector<std::int64_t>{position[0]}, Shape{});
}

Variable norm(const Variable& x, const Axes& axes, KeepDims keep) {
  const ReducedAxes reduced("norm", x, axes, keep);
  if (reduced.count == 0) return Variable(Tensor::zeros(reduced.result, x.dtype()));
  return apply(
      "norm", {x}, Save::all, reduced.result, x.dtype(),
      [axes](Inputs in, const Tensor& out) {
        const Variable wide(in[0].to(DType::f64)), top = max(abs(wide), axes, KeepDims::yes);
        const Variable scale = where(greater(top, 0) * less(top, kInfinity), top, 1);
        const Variable y = scale * sqrt(sum(square(wide / scale), axes, KeepDims::yes));
        copy(reshape(y, out.shape()).value(), out);
      },
      [kept = reduced.kept](BackwardContext& ctx) {
        const Variable y = reshape(ctx.output(), kept);
        ctx.add(0, ctx.input(0) / (y + is_zero(y)) * reshape(ctx.gradient, kept));
      });
}

Variable logsumexp(const Variable& x, const Axes& axes, KeepDims keep) {
  const ReducedAxes reduced("logsumexp", x, axes, keep);
  if (reduced.count == 0) return Variable(Tensor::full(reduced.result, -kInfinity, x.dtype()));
  return apply(
      "logsumexp", {x}, Save::all, reduced.result, x.dtype(),
      [axes](Inputs in, const Tensor& out) {
        const Variable values(in[0]), top = max(values, axes, KeepDims::yes);
        const Variable shift = where(less(abs(top), kInfinity), top, 0);
        const Variable y = shift + log(sum(exp(values - shift), axes, KeepDims::yes));
        copy(reshape(y, out.shape()).value(), out);
      },
      [kept = reduced.kept](BackwardContext& ctx) {
        const Variable y = reshape(ctx.output(), kept);
        ctx.add(0, exp(detail::log_ratio(ctx.input(0), y)) * reshape(ctx.gradient, kept));
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
