#include <hindsight/autograd/index_ops.h>
#include <hindsight/autograd/shape_ops.h>
#include <hindsight/autograd/structural.h>
#include <hindsight/autograd/weight_gradient.h>

#include <algorithm>

namespace hindsight {
namespace {

void check_range(const char* op, const Indices& indices, Size rows) {
  for (Size i = 0; i < indices.elements(); ++i) {
    if (indices[i] < 0 || indices[i] >= rows) {
      fail<IndexError>("{}: index {} at position {} is outside of [0, {})", op, indices[i], i,
                       rows);
    }
  }
}

/// A parameter's transposed view is read through its copy: rows of that lie together.
Tensor table_values(const Variable& table) {
  ParameterUse* use = use_of_transposed(table.node(), table.layout());
  return use ? use->transposed() : table.value();
}

/// Calls f(row of the table, row of `values`, elements in a row) for every index; both are dense.
template <class T, class F>
void for_each_row(const Tensor& table, const Tensor& values, const Indices& indices, F&& f) {
  const Size width = table.size(0) == 0 ? 0 : table.elements() / table.size(0);
  T* rows = table.data<T>();
  T* value = values.data<T>();
  for (Size i = 0; i < indices.elements(); ++i, value += width)
    f(rows + indices[i] * width, value, width);
}

Tensor dense(const Tensor& t) { return t.contiguous() ? t : t.contiguous_copy(); }

}  // namespace

Variable take(const Variable& table, const Indices& indices) {
  if (table.rank() == 0) fail<ShapeError>("take: the table is a scalar; it needs an axis to index");
  check_range("take", indices, table.size(0));
  Shape shape = indices.shape();
  for (int i = 1; i < table.rank(); ++i) shape.push_back(table.size(i));
  return apply(
      "take", {table}, Retain::nothing, shape, table.dtype(),
      [indices, rows = dense(table_values(table))](Inputs, const Tensor& out) {
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          for_each_row<T>(rows, out, indices, [](const T* row, T* value, Size width) {
            std::copy_n(row, width, value);
          });
        });
      },
      [indices](Flow& flow) {
        flow.add(0, scatter_rows(flow.gradient, indices, flow.shape(0)[0]));
      });
}

Variable scatter_rows(const Variable& values, const Indices& indices, Size rows) {
  check_range("scatter_rows", indices, rows);
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
      "scatter_rows", {values}, Retain::nothing, shape, values.dtype(),
      [indices](Inputs in, const Tensor& out) {
        out.fill(0);
        dispatch(out.dtype(), [&](auto zero) {
          using T = decltype(zero);
          for_each_row<T>(out, dense(in[0]), indices, [](T* row, const T* value, Size width) {
            for (Size j = 0; j < width; ++j) row[j] += value[j];
          });
        });
      },
      [indices](Flow& flow) { flow.add(0, take(flow.gradient, indices)); });
}

}  // namespace hindsight
