#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/rearrange.h>

namespace hindsight {

Variable slice(const Variable& x, int axis, Size start, Size count, Size step) {
  axis = checked_axis("slice", axis, x);
  const Size size = x.size(axis);
  if (count < 0 || step < 1 || start < 0 || start > size || (count > 0 && start == size) ||
      (count > 1 && count - 1 > (size - 1 - start) / step)) {
    fail<IndexError>("slice: start {}, count {}, step {} reach outside of axis {} of shape {}",
                     start, count, step, axis, x.shape());
  }
  return {x.node(), x.layout().slice(axis, start, count, step)};
}

Variable permute(const Variable& x, const Axes& axes) {
  check_given("permute", x);
  std::array<int, kMaxRank> order{};
  std::array<bool, kMaxRank> seen{};
  if (axes.size() != x.rank()) {
    fail<ShapeError>("permute: {} axes given for shape {}", axes.size(), x.shape());
  }
  for (int i = 0; i < axes.size(); ++i) {
    const int axis = checked_axis("permute", axes[i], x.rank());
    if (std::exchange(seen[static_cast<std::size_t>(axis)], true))
      fail<IndexError>("permute: axis {} is given twice", axis);
    order[static_cast<std::size_t>(i)] = axis;
  }
  return {x.node(), x.layout().permute(order)};
}

Variable transpose(const Variable& x, int a, int b) {
  a = checked_axis("transpose", a, x);
  b = checked_axis("transpose", b, x);
  std::array<int, kMaxRank> order{};
  for (int i = 0; i < x.rank(); ++i)
    order[static_cast<std::size_t>(i)] = i == a ? b : i == b ? a : i;
  return {x.node(), x.layout().permute(order)};
}

Variable contiguous(const Variable& x) {
  check_given("contiguous", x);
  if (x.layout().contiguous()) return x;
  return apply(
      "contiguous", {x}, Save::nothing, x.shape(), x.dtype(),
      [](Inputs in, const Tensor& out) { copy(in[0], out); },
      [](BackwardContext& ctx) { ctx.add(0, ctx.gradient); });
}

Variable reshape(const Variable& x, const Shape& shape) {
  check_given("reshape", x);
  if (shape.elements() != x.shape().elements()) {
    fail<ShapeError>("reshape: shape {} holds {} elements, {} holds {}", x.shape(),
                     x.shape().elements(), shape, shape.elements());
  }
  Layout layout;
  if (x.layout().reshape(shape, &layout)) return {x.node(), layout};
  return reshape(contiguous(x), shape);
}

Variable reshape(const Variable& x, std::initializer_list<Size> sizes) {
  check_given("reshape", x);
  Shape given;
  int open = 0;
  for (Size size : sizes) {
    if (size == -1) ++open;
    given.push_back(size == -1 ? 1 : size);
  }
  if (open > 1) fail<ShapeError>("reshape: more than one size is -1");
  const Size known = given.elements();
  if (open == 1 && (known == 0 || x.shape().elements() % known != 0)) {
    fail<ShapeError>("reshape: {} elements of shape {} do not divide into groups of {}",
                     x.shape().elements(), x.shape(), known);
  }
  Shape shape;
  for (Size size : sizes) shape.push_back(size == -1 ? x.shape().elements() / known : size);
  return reshape(x, shape);
}

Variable squeeze(const Variable& x, int axis) {
  axis = checked_axis("squeeze", axis, x);
  if (x.size(axis) != 1)
    fail<ShapeError>("squeeze: axis {} of shape {} has {} elements; 1 is needed", axis, x.shape(),
                     x.size(axis));
  return {x.node(), x.layout().select(axis, 0)};
}

Variable unsqueeze(const Variable& x, int axis) {
  check_given("unsqueeze", x);
  axis = checked_axis("unsqueeze", axis, x.rank() + 1);
  Shape shape = x.shape();
  shape.insert(axis, 1);
  return reshape(x, shape);
}

Variable broadcast_to(const Variable& x, const Shape& shape) {
  check_given("broadcast_to", x);
  if (x.shape() == shape) return x;
  if (broadcast_shapes("broadcast_to", x.shape(), shape) != shape) {
    fail<ShapeError>("broadcast_to: shape {} does not broadcast to {}", x.shape(), shape);
  }
  return apply(
      "broadcast_to", {x}, Save::nothing, shape, x.dtype(),
      [](Inputs in, const Tensor& out) { copy(in[0], out); },
      [](BackwardContext& ctx) { ctx.add(0, ctx.gradient); });
}

namespace {

// Forward copies each part to its position along the axis; backward propagates its slice of the
// gradient to it.
Variable join(const char* name, const std::vector<Variable>& parts, int axis, const Shape& shape,
              bool stacked) {
  const auto place = [axis, stacked](const Layout& whole, Size start, Size count) {
    return stacked ? whole.select(axis, start) : whole.slice(axis, start, count);
  };
  return apply(
      name, parts.data(), static_cast<int>(parts.size()), Save::nothing, shape, parts[0].dtype(),
      [=](Inputs in, const Tensor& out) {
        Size start = 0;
        for (int i = 0; i < in.count(); ++i) {
          const Tensor part = in[i];
          const Size count = stacked ? 1 : part.size(axis);
          copy(part, out.view(place(out.layout(), start, count)));
          start += count;
        }
      },
      [=, count = static_cast<int>(parts.size())](BackwardContext& ctx) {
        Size start = 0;
        for (int i = 0; i < count; ++i) {
          const Size width = stacked ? 1 : ctx.shape(i)[axis];
          if (ctx.needs_gradient(i))
            ctx.add(i, Variable(ctx.gradient.node(), place(ctx.gradient.layout(), start, width)));
          start += width;
        }
      });
}

}  // namespace

Variable concat(const std::vector<Variable>& parts, int axis) {
  if (parts.empty()) fail<ShapeError>("concat: no parts given");
  axis = checked_axis("concat", axis, parts[0]);
  Shape shape = parts[0].shape();
  Size total = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Variable& part = parts[i];
    check_given("concat", part, static_cast<int>(i));
    check_same_dtype("concat", parts[0], part);
    Shape same = part.shape();
    if (same.rank() == shape.rank()) same.set(axis, shape[axis]);
    if (same != shape)
      fail<ShapeError>("concat: shapes {} and {} differ outside of axis {}", parts[0].shape(),
                       part.shape(), axis);
    total += part.size(axis);
  }
  Shape whole;
  for (int i = 0; i < shape.rank(); ++i) whole.push_back(i == axis ? total : shape[i]);
  return join("concat", parts, axis, whole, false);
}

Variable stack(const std::vector<Variable>& parts, int axis) {
  if (parts.empty()) fail<ShapeError>("stack: no parts given");
  axis = checked_axis("stack", axis, parts[0].rank() + 1);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    check_given("stack", parts[i], static_cast<int>(i));
    check_same_dtype("stack", parts[0], parts[i]);
    if (parts[i].shape() != parts[0].shape())
      fail<ShapeError>("stack: shapes {} and {} differ", parts[0].shape(), parts[i].shape());
  }
  Shape whole = parts[0].shape();
  whole.insert(axis, static_cast<Size>(parts.size()));
  return join("stack", parts, axis, whole, true);
}

std::vector<Variable> unstack(const Variable& x, int axis) {
  axis = checked_axis("unstack", axis, x);
  std::vector<Variable> parts;
  for (Size i = 0; i < x.size(axis); ++i) parts.emplace_back(x.node(), x.layout().select(axis, i));
  return parts;
}

std::vector<Variable> split(const Variable& x, const std::vector<Size>& sizes, int axis) {
  axis = checked_axis("split", axis, x);
  Size total = 0;
  bool valid = true;
  for (Size size : sizes) {
    valid = valid && size >= 0 && size <= x.size(axis);
    total += valid ? size : 0;
  }
  if (!valid || total != x.size(axis))
    fail<ShapeError>("split: sizes {{{}}} do not add up to axis {} of shape {}",
                     fmt::join(sizes, ", "), axis, x.shape());
  std::vector<Variable> parts;
  Size start = 0;
  for (Size size : sizes) {
    parts.emplace_back(x.node(), x.layout().slice(axis, start, size));
    start += size;
  }
  return parts;
}

Variable flip(const Variable& x, const Axes& axes) {
  check_given("flip", x);
  std::array<bool, kMaxRank> turned{};
  for (int axis : axes) {
    bool& mark = turned[static_cast<std::size_t>(checked_axis("flip", axis, x.rank()))];
    if (mark) fail<IndexError>("flip: axis {} is given twice", axis);
    mark = true;
  }
  return apply(
      "flip", {x}, Save::nothing, x.shape(), x.dtype(),
      [turned](Inputs in, const Tensor& out) {
        Layout from = in[0].layout();
        for (int i = 0; i < from.rank(); ++i) {
          if (turned[static_cast<std::size_t>(i)] && from.shape[i] > 0)
            from = from.slice(i, from.shape[i] - 1, from.shape[i], -1);
        }
        copy(in[0].view(from), out);
      },
      [axes](BackwardContext& ctx) { ctx.add(0, flip(ctx.gradient, axes)); });
}

Variable reverse_sequence(const Variable& x, const std::vector<Size>& lengths) {
  check_given("reverse_sequence", x);
  if (x.rank() < 2)
    fail<ShapeError>("reverse_sequence: shape {}; (T, B, ...) is needed", x.shape());
  const Size T = x.size(0), B = x.size(1);
  if (static_cast<Size>(lengths.size()) != B)
    fail<ShapeError>("reverse_sequence: {} lengths for a batch of {}", lengths.size(), B);
  const Indices order(Shape{T, B});
  std::int64_t* to = order.data();
  for (Size b = 0; b < B; ++b) {
    const Size length = lengths[static_cast<std::size_t>(b)];
    if (length < 0 || length > T)
      fail<ShapeError>("reverse_sequence: length {} is outside of [0, {}]", length, T);
    for (Size t = 0; t < T; ++t) to[t * B + b] = (t < length ? length - 1 - t : t) * B + b;
  }
  Shape steps{T * B};
  for (int i = 2; i < x.rank(); ++i) steps.push_back(x.size(i));
  return take(reshape(x, steps), order);
}

Variable pad(const Variable& x, int axis, Size before, Size after, double value) {
  axis = checked_axis("pad", axis, x);
  if (before < 0 || after < 0)
    fail<IndexError>("pad: {} elements before and {} after axis {}; 0 or more are needed", before,
                     after, axis);
  const Size size = x.size(axis), room = INT32_MAX - size;
  if (before > room || after > room - before) {
    fail<ShapeError>(
        "pad: {} elements before and {} after axis {} of shape {}; at most {} in all are supported",
        before, after, axis, x.shape(), INT32_MAX);
  }
  Shape shape;
  for (int i = 0; i < x.rank(); ++i) shape.push_back(x.size(i) + (i == axis ? before + after : 0));
  return apply(
      "pad", {x}, Save::nothing, shape, x.dtype(),
      [=](Inputs in, const Tensor& out) {
        if (before > 0) out.view(out.layout().slice(axis, 0, before)).fill(value);
        if (after > 0) out.view(out.layout().slice(axis, before + size, after)).fill(value);
        copy(in[0], out.view(out.layout().slice(axis, before, size)));
      },
      [=](BackwardContext& ctx) { ctx.add(0, slice(ctx.gradient, axis, before, size)); });
}

Variable assemble(const Shape& whole, const std::vector<Layout>& regions,
                  const std::vector<Variable>& parts) {
  if (parts.empty()) fail<ShapeError>("assemble: no parts given");
  if (regions.size() != parts.size())
    fail<ShapeError>("assemble: {} regions for {} parts", regions.size(), parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    check_given("assemble", parts[i], static_cast<int>(i));
    check_same_dtype("assemble", parts[0], parts[i]);
    const Shape& shape = regions[i].shape;
    if (parts[i].shape() != shape) {
      fail<ShapeError>("assemble: part {} is {} but its region {}", i, parts[i].shape(), shape);
    }
    if (shape.elements() == 0) continue;
    const Size offset = regions[i].offset, end = whole.elements();
    if (offset < 0 || offset >= end || regions[i].range().first < 0 ||
        regions[i].range().second >= end)
      fail<IndexError>("assemble: region {} reaches outside of shape {}", i, whole);
  }
  return apply(
      "assemble", parts.data(), static_cast<int>(parts.size()), Save::nothing, whole,
      parts[0].dtype(),
      [regions](Inputs in, const Tensor& out) {
        out.fill(0);
        for (std::size_t i = 0; i < regions.size(); ++i) {
          Layout place = regions[i];
          place.offset += out.layout().offset;
          copy(in[static_cast<int>(i)], out.view(place), true);
        }
      },
      [regions](BackwardContext& ctx) {
        const Variable whole_gradient = contiguous(ctx.gradient);
        for (std::size_t i = 0; i < regions.size(); ++i) {
          const int part = static_cast<int>(i);
          if (!ctx.needs_gradient(part)) continue;
          Layout place = regions[i];
          place.offset += whole_gradient.layout().offset;
          ctx.add(part, Variable(whole_gradient.node(), place));
        }
      });
}

namespace detail {

void throw_bad_chunk(const Shape& shape, Size count) {
  fail<ShapeError>("chunk: the last axis of shape {} does not divide into {} equal parts", shape,
                   count);
}

}  // namespace detail
}  // namespace hindsight
