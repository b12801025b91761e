// Reductions that join elements two by two: maximum, minimum, product.
#include <hindsight/autograd/reduced_axes.h>
#include <hindsight/autograd/shape_ops.h>
#include <hindsight/autograd/structural.h>

namespace hindsight {
namespace {

/// The elements that become one as an axis of a matrix: the last one where they lie there, else
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

/// Joins the first half with the second until one element is left: each step is one pass, and there
/// are few of them.
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

// The gradient goes to all elements that equal the result, in equal parts.
template <class Join>
Variable extreme(const char* name, const Variable& x, const ReducedAxes& axes, const Join& join) {
  if (axes.of_nothing())
    fail<ShapeError>("{}: shape {} has no elements to choose from", name, x.shape());
  return apply(
      name, {x}, Retain::all, axes.result, x.dtype(),
      [axes, join](Inputs in, const Tensor& out) {
        copy(fold(Variable(in[0]), axes, join).value(), out);
      },
      [kept = axes.kept](Flow& flow) {
        const Variable mask = equal(flow.input(0).detach(), reshape(flow.output().detach(), kept));
        const Variable share = mask / sum_to(mask, kept);
        flow.add(0, share * reshape(flow.gradient, kept));
      });
}

/// Whether `value` takes the place of the largest so far. NaN does, and keeps it.
template <class T>
bool beats(T value, T best) {
  return value > best || (value != value && best == best);
}

}  // namespace

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

}  // namespace hindsight
