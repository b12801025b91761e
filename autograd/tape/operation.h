#pragma once
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/autograd/tape/variable.h>

#include <memory>

namespace hindsight {

class Tape;
class ReverseSweep;
class ForwardSweep;

/// An operation's reference to one of its inputs or its output: the node, for its gradient, and its
/// value if backward reads it.
class Operand {
 public:
  enum class Save { nothing, value };

  Operand() = default;
  Operand(const Variable& variable, Save save, std::uint64_t tape)
      : node_(variable.node()),
        layout_(variable.layout()),
        // With create_graph, released values are recomputed from the leaves, so values that no
        // operation computes must be held.
        holds_(save == Save::value || !(node_->computed && node_->tape == tape)),
        recorded_(node_->tape == tape) {
    node_->add_record();
    if (holds_) node_->add_handle();
  }
  Operand(const Operand&) = delete;
  Operand& operator=(Operand&& other) noexcept {
    std::swap(node_, other.node_);
    std::swap(layout_, other.layout_);
    std::swap(holds_, other.holds_);
    std::swap(recorded_, other.recorded_);
    return *this;
  }
  Operand(Operand&& other) noexcept { *this = std::move(other); }
  ~Operand() {
    if (!node_) return;
    if (holds_) node_->drop_handle();  // the record dropped next still holds the node
    node_->drop_record();
  }

  Node* node() const { return node_; }
  const Layout& layout() const { return layout_; }
  const Shape& shape() const { return layout_.shape; }
  bool recorded() const { return recorded_; }  ///< on the operation's tape, not a constant
  bool needs_gradient() const {
    return recorded_ && node_->needs_gradient;
  }  ///< the current sweep computes its gradient
  Variable variable() const { return Variable(node_, layout_); }
  /// Element 0 of the view's value.
  template <class T>
  T* data() const {
    return node_->value.data<T>() + node_->base + layout_.offset;
  }

 private:
  Node* node_ = nullptr;
  Layout layout_;
  bool holds_ = false;
  bool recorded_ = false;
};

/// One recorded step, in pooled memory, owned by its tape.
class Operation {
 public:
  /// While active, a sweep is within the operation's backward function. Throws TapeError if another
  /// sweep is already: a gradient requested there would depend on itself.
  class InProgress {
   public:
    explicit InProgress(Operation& operation) : operation_(operation) {
      if (operation.in_progress_) operation.fail_in_progress();
      operation.in_progress_ = true;
    }
    ~InProgress() { operation_.in_progress_ = false; }
    InProgress(const InProgress&) = delete;
    InProgress& operator=(const InProgress&) = delete;

   private:
    Operation& operation_;
  };

  static void* operator new(std::size_t bytes) { return pool::allocate(bytes, 0); }
  static void operator delete(void* block, std::size_t bytes) { pool::release(block, bytes, 0); }

  virtual ~Operation() = default;
  virtual const char* name() const = 0;
  /// The inputs and their number; an absent operand has a null node.
  virtual std::pair<const Operand*, int> inputs() const = 0;
  /// Computes the output's value from the inputs' values; again, if it was released.
  virtual void run() = 0;
  /// The same from the inputs alone, also where run() reads saved values, so that a check can
  /// perturb an input and compare the output.
  virtual void run_from_inputs() { run(); }
  /// Propagates the output's gradient to the inputs.
  virtual void backward(ReverseSweep& sweep) = 0;
  /// Computes the output's tangent from those of the inputs (JVP). By default, transposes backward,
  /// which is linear in the gradient.
  virtual void jvp(ForwardSweep& sweep);
  /// Whether jvp reads no more values than backward does.
  virtual bool jvp_reads_only_saved() const { return false; }

  const Operand& output() const { return output_; }
  const ScopePath& place() const { return place_; }  ///< where it was recorded
  const Operation* next() const { return next_; }    ///< the one recorded after it, null at the end
  const Operation* previous() const { return previous_; }  ///< the one before it, null at the start
  /// Bytes saved for backward, not counting values held as Variables.
  virtual Size saved_bytes() const { return 0; }
  /// Appends the operation, which computed `output`, to the current tape. The tape owns it from
  /// then on.
  void record_output(const Variable& output);

 protected:
  Operand output_;

 private:
  friend class Tape;
  friend class TangentSweep;
  [[noreturn]] void fail_in_progress() const;

  ScopePath place_;
  Operation* previous_ = nullptr;
  Operation* next_ = nullptr;
  bool in_progress_ = false;  // a sweep is within its backward function
};

/// An operation not yet on a tape; owned by the caller, so that an exception before
/// `release()->record_output(...)` destroys it.
template <class Op, class... Args>
std::unique_ptr<Op> new_operation(Args&&... args) {
  static_assert(alignof(Op) <= pool::kAlignment);
  return std::make_unique<Op>(std::forward<Args>(args)...);
}

}  // namespace hindsight
