#pragma once
#include <hindsight/autograd/tape/operation.h>

namespace hindsight {

namespace detail {

/// Rows of matrices collected by a reverse sweep: since it runs from the last time step to the
/// first, each matrix is placed before the previous one. Rows that are already at evenly spaced
/// places in memory in that order are referred to; others are copied to a block. Columns, strides
/// and begin_ are in elements, capacities in rows.
class RowBatch {
 public:
  void start(Size columns, DType dtype, Size capacity);
  Size rows() const { return rows_; }
  Size columns() const { return columns_; }
  /// True if `rows` more fit; the first matrix always does.
  bool fits(Size rows) const { return rows_ == 0 || rows_ + rows <= capacity_; }
  /// True if `matrix` can be prepended without moving the rows collected before.
  bool extends(const Tensor& matrix) const {
    return stride_to(matrix) != 0 || has_room(matrix.size(0));
  }
  void prepend(const Tensor& matrix);
  /// Gives `place` memory directly before that of the previous call, so that matrices computed
  /// there can be prepended without a copy. rows: their shape, padded.
  void reserve(const Shape& rows, Gradient* place);
  Tensor matrix() const;  ///< all rows
  void clear();           ///< keeps a reserved block

 private:
  Size stride_to(const Tensor& matrix) const;  // row stride if directly before the rows, else 0
  bool has_room(Size rows) const;              // before the rows, in a block not shared

  Size columns_ = 0, capacity_ = 0, rows_ = 0;
  Size stride_ = 0;  // elements from row to row, 0 while there is only one
  DType dtype_ = DType::f32;
  Buffer rows_buffer_;   // where the rows are
  Size begin_ = 0;       // position of the first row in it, in elements
  Buffer block_;         // memory that reserve() provides
  Size block_free_ = 0;  // rows of it not yet provided
};

}  // namespace detail

/// What a tape stores for a parameter that it uses: the leaf, a transposed copy, and the operands
/// of products whose weight gradient is deferred. One product over many time steps is several times
/// faster than one for each (the steps' gradients are placed one after the other for it).
struct ParameterUse {
  Parameter parameter;
  std::uint64_t version = 0;  ///< the parameter's when the tape first used it
  Node* leaf = nullptr;
  ParameterUse* next = nullptr;

  /// From here on, sweeps add to the parameter's gradient, or to that of the active LocalGradients.
  void attach_gradient();
  /// From here on, sweeps add to a gradient of the leaf's own.
  void detach_gradient();

  /// The parameter with rows and columns exchanged; cached until the parameter changes.
  const Tensor& transposed();

  /// Defers adding input^T gradient to the gradient of the parameter, viewed as `weight`.
  /// input: (rows, inputs), gradient: (rows, outputs), weight: (inputs, outputs).
  void defer(const Layout& weight, const Tensor& input, const Tensor& gradient);
  /// Adds what was deferred; false if nothing was.
  bool flush();
  /// Drops what was deferred.
  void discard();
  /// Prepares for products with the parameter viewed as `weight`; adds what was deferred for
  /// another view.
  void prepare(const Layout& weight, DType dtype);
  /// Places the gradient of a product with this parameter where defer() need not copy it.
  void place_gradient(Gradient* gradient, const Shape& shape);

 private:
  Tensor transposed_;
  std::uint64_t transposed_version_ = 0;
  Layout weight_;
  detail::RowBatch inputs_, gradients_;
};

/// The parameter that an operand is, or is a view of; otherwise null.
inline const Parameter* parameter_of(const Operand& operand) {
  const ParameterUse* use = operand.node() ? operand.node()->use : nullptr;
  return use && use->leaf == operand.node() ? &use->parameter : nullptr;
}

/// The use of a parameter on its tape if `layout` is a view of it with rows and columns exchanged;
/// otherwise null.
ParameterUse* use_of_transposed(const Node* node, const Layout& layout);

/// Adds input^T gradient to the gradient of a value viewed as `weight` (inputs, outputs), which may
/// be a transposed view.
void add_weight_gradient(Node* node, const Layout& weight, const Tensor& input,
                         const Tensor& gradient);

}  // namespace hindsight
