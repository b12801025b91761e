#include <hindsight/autograd/index_ops.h>

#include <hindsight/autograd/shape_ops.h>
#include <hindsight/autograd/structural.h>
#include <hindsight/autograd/weight_gradient.h>

namespace hindsight {
namespace {

void check_range(const char* op, const Indices& indices, Size rows) {
  for (Size i = 0; i < indices.elements(); ++i) {
    if (indices[i] < 0 || indices[i] >= rows) {
      fail<IndexError>("{}: index {} at position {} is outside of [0, {})", op, indices[i], i, rows);
    }
  }
}

Layout row_of(const Layout& table, Size row) { return table.select(0, row); }

/// A parameter's transposed view is read through its copy: rows of that lie together.
Tensor dense_table(const Variable& table) {
  Node* node = table.node();
  const Layout& layout = table.layout();
  const bool transposed_parameter = node->use && node->use->leaf == node && node->shape.rank() == 2 && layout.rank() == 2 && layout.stride(0) == 1 &&
                                    layout.offset == 0 && layout.shape[0] == node->shape.back() && layout.stride(1) == node->shape.back() &&
                                    layout.shape[1] * layout.shape[0] == node->shape.elements();
  return transposed_parameter ? node->use->transposed() : table.value();
}

template <class F>
void for_each_row(const Tensor& table, const Tensor& values, const Indices& indices, F&& f) {
  const Layout flat = [&] {
    Shape shape{indices.elements()};
    for (int i = 1; i < table.rank(); ++i) shape.push_back(table.size(i));
    Layout layout(shape);
    layout.offset = values.layout().offset;
    return layout;
  }();
  for (Size i = 0; i < indices.elements(); ++i) {
    f(table.view(row_of(table.layout(), indices[i])), values.view(row_of(flat, i)));
  }
}

}  // namespace

Variable take(const Variable& table, const Indices& indices) {
  if (table.rank() == 0) fail<ShapeError>("take: the table is a scalar; it needs an axis to index");
  check_range("take", indices, table.size(0));
  Shape shape = indices.shape();
  for (int i = 1; i < table.rank(); ++i) shape.push_back(table.size(i));
  return apply(
      "take", {table}, Retain::nothing, shape, table.dtype(),
      [indices, table_value = dense_table(table)](Inputs, const Tensor& out) {
        for_each_row(table_value, out, indices, [](const Tensor& from, const Tensor& to) { copy(from, to); });
      },
      [indices](Flow& flow) { flow.add(0, scatter_rows(flow.gradient, indices, flow.shape(0)[0])); });
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
  if (!fits) fail<ShapeError>("scatter_rows: values {} do not begin with the shape {} of the indices", values.shape(), indices.shape());
  return apply(
      "scatter_rows", {values}, Retain::nothing, shape, values.dtype(),
      [indices](Inputs in, const Tensor& out) {
        out.fill(0);
        const Tensor dense = in[0].contiguous() ? in[0] : in[0].contiguous_copy();
        for_each_row(out, dense, indices, [](const Tensor& to, const Tensor& from) { copy(from, to, true); });
      },
      [indices](Flow& flow) { flow.add(0, take(flow.gradient, indices)); });
}

}  // namespace hindsight
