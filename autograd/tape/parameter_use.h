#pragma once
#include <hindsight/autograd/tape/operation.h>

namespace hindsight {

/// Rows of matrices gathered while the sweep walks back in time: each lies before the last one.
/// Rows that already lie so in memory, evenly apart, are referred to, others are copied to a block.
class RowBatch {
 public:
  void start(Size columns, DType dtype, Size capacity);
  Size rows() const { return rows_; }
  Size columns() const { return columns_; }
  /// True when `rows` more fit.
  bool fits(Size rows) const { return rows_ == 0 || rows_ + rows <= capacity_; }
  /// True when prepending `matrix` leaves the rows that are there where they are.
  bool extends(const Tensor& matrix) const {
    return stride_to(matrix) != 0 || has_room(matrix.size(0));
  }
  void prepend(const Tensor& matrix);
  /// Memory where the next matrix would lie right before the last one.
  void reserve(const Shape& rows, Gradient* place);
  Tensor matrix() const;  ///< all rows
  void clear();           ///< keeps a reserved block

 private:
  Size stride_to(const Tensor& matrix) const;  // from row to row when it lies before them, else 0
  bool has_room(Size rows) const;              // in a block of its own

  Size columns_ = 0, capacity_ = 0, rows_ = 0;
  Size stride_ = 0;  // elements from row to row, 0 while there is but one
  DType dtype_ = DType::f32;
  Buffer rows_buffer_;   // where the rows lie
  Size begin_ = 0;       // first row's element in it
  Buffer block_;         // memory handed out by reserve()
  Size block_free_ = 0;  // rows of it not handed out yet
};

/// What a tape keeps for a parameter it uses: the leaf, a transposed copy, and the products whose
/// weight gradient is still to be computed. One product over many time steps is several times
/// faster than one at each (and the steps' gradients lie one after the other for it).
struct ParameterUse {
  Parameter parameter;
  std::uint64_t version = 0;  ///< of the parameter when the tape first used it
  Node* leaf = nullptr;
  ParameterUse* next = nullptr;

  /// The parameter with rows and columns exchanged, made on first need.
  const Tensor& transposed();

  /// Later adds input^T gradient to the gradient of the parameter seen as `weight` (inputs,
  /// outputs).
  void defer(const Layout& weight, const Tensor& input, const Tensor& gradient);
  /// Computes what was deferred; false where nothing was.
  bool flush();
  /// Forgets it instead.
  void discard();
  /// Makes ready for products with the parameter seen as `weight`.
  void prepare(const Layout& weight, DType dtype);
  /// Puts the gradient of a product with this parameter where defer() needs no copy.
  void place_gradient(Gradient* gradient, const Shape& shape);

 private:
  Tensor transposed_;
  std::uint64_t transposed_version_ = 0;
  Layout weight_;
  RowBatch inputs_, gradients_;
};

/// The parameter an operand is, or a view of; null for everything else.
inline const Parameter* parameter_of(const Operand& operand) {
  const ParameterUse* use = operand.node() ? operand.node()->use : nullptr;
  return use && use->leaf == operand.node() ? &use->parameter : nullptr;
}

/// The use of a parameter on its tape when `layout` is a view of it with rows and columns
/// exchanged; null for everything else.
ParameterUse* use_of_transposed(const Node* node, const Layout& layout);

/// Adds input^T gradient to the gradient of a value seen as `weight` (inputs, outputs), which may
/// be a transposed view.
void add_weight_gradient(Node* node, const Layout& weight, const Tensor& input,
                         const Tensor& gradient);

}  // namespace hindsight
