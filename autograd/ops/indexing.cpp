#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/tape/parameter_use.h>

#include <algorithm>

namespace hindsight {
namespace {

/// A parameter's transposed view is read from its transposed copy, whose rows are contiguous.
Tensor table_values(const Variable& table) {
  ParameterUse* use = use_of_transposed(table.node(), table.layout());
  return use ? use->transposed() : table.value();
}

/// The tensor as `count` rows, each contiguous: a view where its layout allows, else a copy.
Tensor rows_of(const Tensor& t, Size count) {
  const Shape shape{count, count == 0 ? 0 : t.elements() / count};
  Layout rows;
  if (t.layout().reshape(shape, &rows) && (shape[1] <= 1 || rows.stride(1) == 1))
    return t.view(rows);
  return t.contiguous_copy().view(Layout(shape));
}

/// Calls f(row of the table, row of `values`, elements in a row) for every index.
template <class T, class F>
void for_each_row(const Tensor& table, const Tensor& values, const Indices& indices, F&& f) {
  if (indices.elements() == 0) return;
  const Size count = indices.elements();
  const Tensor from = rows_of(table, table.size(0)), to = rows_of(values, count);
  const std::int64_t* index = indices.data();
  for (Size i = 0; i < count; ++i) {
    f(from.data<T>() + index[i] * from.layout().stride(0), to.data<T>() + i * to.layout().stride(0),
      to.size(1));
  }
}

/// Calls f(i, element) for index number i, with the offset of the table's element that it selects.
template <class F>
void for_each_place(const Layout& table, int axis, const Indices& indices, F&& f) {
  const Shape& shape = indices.shape();
  std::array<Size, kMaxRank> at{};
  const std::int64_t* index = indices.data();
  const Size count = indices.elements();
  for (Size i = 0; i < count; ++i) {
    Size place = index[i] * table.stride(axis);
    for (int a = 0; a < shape.rank(); ++a)
      place += a == axis ? 0 : at[static_cast<std::size_t>(a)] * table.stride(a);
    f(i, place);
    for (int a = shape.rank() - 1; a >= 0; --a) {
      Size& along = at[static_cast<std::size_t>(a)];
      if (++along < shape[a]) break;
      along = 0;
    }
  }
}

void check_places(const char* op, const Variable& x, int axis, const Indices& indices) {
  indices.check_given(op);
  const Shape& shape = indices.shape();
  bool fits = shape.rank() == x.rank();
  for (int a = 0; fits && a < x.rank(); ++a) fits = a == axis || shape[a] <= x.size(a);
  if (!fits) {
    fail<ShapeError>("{}: indices {} do not fit shape {} along the axes other than {}", op, shape,
                     x.shape(), axis);
  }
  indices.check_range(op, "index", x.size(axis));
}

}  // namespace

Variable take(const Variable& table, const Indices& indices) {
  check_given("take", table);
  if (table.rank() == 0) fail<ShapeError>("take: the table is a scalar; it needs an axis to index");
  indices.check_range("take", "index", table.size(0));
  Shape shape = indices.shape();
  for (int i = 1; i < table.rank(); ++i) shape.push_back(table.size(i));
  Shape trailing = table.shape();
  trailing.erase(0);
  // Padding is only between rows, each of which is written as a whole.
  const Variable padded =
      Variable::make_padded(Shape{indices.elements(), trailing.elements()}, table.dtype());
  Layout layout;
  if (!padded.layout().reshape(shape, &layout)) shape.throw_too_large();
  return apply(
      "take", &table, 1, Save::nothing, Variable(padded.node(), layout),
      [indices](Inputs in, const Tensor& out) {
        const Tensor rows = table_values(in.variable(0));
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          for_each_row<T>(rows, out, indices, [](const T* row, T* value, Size width) {
            std::copy_n(row, width, value);
          });
        });
      },
      [indices](BackwardContext& ctx) {
        ctx.add(0, scatter_rows(ctx.gradient, indices, ctx.shape(0)[0]));
      });
}

Variable scatter_rows(const Variable& values, const Indices& indices, Size rows) {
  check_given("scatter_rows", values);
  indices.check_range("scatter_rows", "index", rows);
  const int leading = indices.shape().rank();
  Shape shape{rows};
  bool fits = values.rank() >= leading;
  for (int i = 0; i < values.rank(); ++i) {
    if (i >= leading) {
      shape.push_back(values.size(i));
    } else {
      fits = fits && values.size(i) == indices.shape()[i];
    }
  }
  if (!fits)
    fail<ShapeError>("scatter_rows: values {} do not begin with the shape {} of the indices",
                     values.shape(), indices.shape());
  return apply(
      "scatter_rows", {values}, Save::nothing, shape, values.dtype(),
      [indices](Inputs in, const Tensor& out) {
        out.fill(0);
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          for_each_row<T>(out, in[0], indices, [](T* row, const T* value, Size width) {
            for (Size j = 0; j < width; ++j) row[j] += value[j];
          });
        });
      },
      [indices](BackwardContext& ctx) { ctx.add(0, take(ctx.gradient, indices)); });
}

Variable gather(const Variable& x, int axis, const Indices& indices) {
  axis = checked_axis("gather", axis, x);
  check_places("gather", x, axis, indices);
  return apply(
      "gather", {x}, Save::nothing, indices.shape(), x.dtype(),
      [axis, indices](Inputs in, const Tensor& out) {
        const Tensor table = in[0];
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          const T* from = table.data<T>();
          T* to = out.data<T>();
          for_each_place(table.layout(), axis, indices,
                         [=](Size i, Size place) { to[i] = from[place]; });
        });
      },
      [axis, indices](BackwardContext& ctx) {
        const Variable zeros(Tensor::zeros(ctx.shape(0), ctx.gradient.dtype()));
        ctx.add(0, scatter_add(zeros, axis, indices, ctx.gradient));
      });
}

Variable scatter_add(const Variable& x, int axis, const Indices& indices, const Variable& values) {
  axis = checked_axis("scatter_add", axis, x);
  check_given("scatter_add", values, 1);
  check_places("scatter_add", x, axis, indices);
  check_same_dtype("scatter_add", x, values);
  if (values.shape() != indices.shape())
    fail<ShapeError>("scatter_add: values {} and indices {} need the same shape", values.shape(),
                     indices.shape());
  return apply(
      "scatter_add", {x, values}, Save::nothing, x.shape(), x.dtype(),
      [axis, indices](Inputs in, const Tensor& out) {
        copy(in[0], out);
        const Tensor dense = in[1].dense();
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          const T* from = dense.data<T>();
          T* to = out.data<T>();
          for_each_place(out.layout(), axis, indices,
                         [=](Size i, Size place) { to[place] += from[i]; });
        });
      },
      [axis, indices](BackwardContext& ctx) {
        if (ctx.needs_gradient(0)) ctx.add(0, ctx.gradient);
        if (ctx.needs_gradient(1)) ctx.add(1, gather(ctx.gradient, axis, indices));
      });
}

Tensor one_hot(const Indices& indices, Size classes, DType dtype) {
  indices.check_range("one_hot", "index", classes);
  Shape shape = indices.shape();
  shape.push_back(classes);
  const Tensor result = Tensor::zeros(shape, dtype);
  for (Size i = 0; i < indices.elements(); ++i) result.set(i * classes + indices[i], 1);
  return result;
}

}  // namespace hindsight
