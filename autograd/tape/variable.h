#pragma once
#include <hindsight/autograd/tape/gradient.h>
#include <hindsight/autograd/tape/parameter.h>

#include <utility>

namespace hindsight {

class Operation;
struct ParameterUse;
class Variable;

struct Contribution;

/// One value on a tape, or a constant; shared by all Variables that are copies or views of it. Its
/// memory is released when no Variable, and no operation that needs it for backward, holds it. The
/// node itself lives while an operation refers to its gradient. Counts are not atomic: a node
/// belongs to one thread.
struct Node {
  Node(DType type, const Layout& whole) : dtype(type), layout(whole) {}

  std::uint32_t handles = 0;  ///< Variables, and operations that need the value
  std::uint32_t records = 0;  ///< operations (and the tape) that refer to the gradient
  std::uint64_t tape = 0;     ///< id of the tape it was recorded on, 0 for a constant
  DType dtype;
  bool computed = false;            ///< an operation of the tape can recompute the value
  bool in_parts = false;            ///< several operations compute it, each a part
  bool needs_gradient = false;      ///< the current sweep computes its gradient
  bool keep_gradient = false;       ///< the sweep's caller reads the gradient afterwards
  bool parameter_gradient = false;  ///< `gradient` is a parameter's, not the node's own
  bool used_up = false;             ///< a sweep has freed an operation that computed it
  bool visited = false;             ///< mark of a pass over the tape, which clears it at its end
  /// Of the whole value: row-major from the start of the buffer, or that of its Tensor if constant.
  Layout layout;
  Buffer value;                           ///< empty once released
  Gradient* gradient = nullptr;           ///< null until something is added
  Contribution* contributions = nullptr;  ///< instead of memory, in a recorded sweep
  ParameterUse* use = nullptr;            ///< of a parameter's leaf, and of products with it

  static Node* make(DType dtype, const Layout& layout);
  static void destroy(Node* node);

  const Shape& shape() const { return layout.shape; }
  Size bytes() const { return layout.shape.elements() * bytes_of(dtype); }  ///< of the whole value

  bool has_gradient() const { return gradient && !gradient->empty(); }
  /// The gradient, which is empty if nothing has been added.
  Gradient& made_gradient() {
    if (!gradient) make_gradient();
    return *gradient;
  }
  void release_gradient() {  ///< of the node's own
    if (gradient && !parameter_gradient) free_gradient();
  }

  void add_handle() { ++handles; }
  void drop_handle() {
    if (--handles == 0) unused();
  }
  void add_record() { ++records; }
  void drop_record() {
    if (--records == 0 && handles == 0) destroy(this);
  }
  /// Without handles: releases the value, and the node unless an operation refers to it.
  void unused();

 private:
  void make_gradient();
  void free_gradient();
};

template <class F, class... Arguments>
class Expression;

/// A value in memory, recorded on the current tape if it depends on something recorded. Variables
/// are cheap handles; those of a tape that was destroyed or consumed are constants. A
/// default-constructed or moved-from Variable is empty (false); operations on it throw Error.
class Variable {
 public:
  Variable() = default;
  /// A constant; Error if `value` is empty.
  Variable(const Tensor& value);  // NOLINT: converting is the point
  /// The parameter's leaf on the current tape, or a constant if no tape records; Error if the
  /// parameter is empty.
  Variable(const Parameter& parameter);  // NOLINT
  /// Evaluates a delayed elementwise expression in one pass (one recorded operation).
  template <class F, class... Arguments>
  Variable(const Expression<F, Arguments...>& expression);  // NOLINT

  /// A new value, uninitialised.
  static Variable make(const Shape& shape, DType dtype);
  /// The same with padded rows: a view of a larger value.
  static Variable make_padded(const Shape& shape, DType dtype);

  Variable(Node* node, const Layout& layout) : node_(node), layout_(layout) {
    if (node_) node_->add_handle();
  }
  Variable(const Variable& other) : node_(other.node_), layout_(other.layout_) {
    if (node_) node_->add_handle();
  }
  Variable(Variable&& other) noexcept
      : node_(std::exchange(other.node_, nullptr)), layout_(other.layout_) {}
  Variable& operator=(const Variable& other) {
    if (other.node_) other.node_->add_handle();
    if (node_) node_->drop_handle();
    node_ = other.node_;
    layout_ = other.layout_;
    return *this;
  }
  Variable& operator=(Variable&& other) noexcept {
    Node* before = std::exchange(node_, std::exchange(other.node_, nullptr));
    layout_ = other.layout_;
    if (before) before->drop_handle();
    return *this;
  }
  ~Variable() {
    if (node_) node_->drop_handle();
  }

  explicit operator bool() const { return node_ != nullptr; }
  const Shape& shape() const { return layout_.shape; }
  Size size(int axis) const { return layout_.shape[axis]; }
  int rank() const { return layout_.rank(); }
  DType dtype() const { return node_ ? node_->dtype : DType::f32; }
  Tensor value() const {  ///< Error if it is empty
    if (!node_) throw_empty("value");
    return {node_->value, layout_, node_->dtype};
  }
  double item() const { return value().item(); }  ///< ShapeError unless it holds one element
  /// True if it is recorded on the current tape.
  bool recorded() const;
  /// The same value as a constant: no gradient propagates through it.
  Variable detach() const { return Variable(value()); }
  /// Time step (or row) t of the first axis, a view; IndexError out of range.
  Variable operator[](Size t) const;

  Node* node() const { return node_; }
  const Layout& layout() const { return layout_; }
  template <class T>
  T* data() const {
    if (!node_) throw_empty("data");
    return node_->value.data<T>() + layout_.offset;
  }

 private:
  [[noreturn]] static void throw_empty(const char* op);

  Node* node_ = nullptr;
  Layout layout_;
};

[[noreturn]] void throw_empty_input(const char* op, int input);
/// Throws Error, naming `op` and the input, if x is an empty Variable.
inline void check_given(const char* op, const Variable& x, int input = 0) {
  if (!x) throw_empty_input(op, input);
}
/// Checks that x is not empty; returns `axis` counted from the front.
inline int checked_axis(const char* op, int axis, const Variable& x) {
  check_given(op, x);
  return checked_axis(op, axis, x.rank());
}

}  // namespace hindsight
