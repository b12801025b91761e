#pragma once
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/autograd/tape/variable.h>

#include <memory>

namespace hindsight {

class Tape;
class ReverseSweep;
class ForwardSweep;

/// An operation's reference to one of its inputs or its output: the node for the gradient, and its
/// value where going backward needs it.
class Operand {
 public:
  enum class Save { nothing, value };

  Operand() = default;
  Operand(const Variable& variable, Save save, std::uint64_t tape)
      : node_(variable.node()),
        layout_(variable.layout()),
        // A recorded sweep may compute everything again from what its tape cannot compute.
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
    if (holds_) node_->drop_handle();  // the record below keeps the node
    node_->drop_record();
  }

  Node* node() const { return node_; }
  const Layout& layout() const { return layout_; }
  const Shape& shape() const { return layout_.shape; }
  bool recorded() const { return recorded_; }  ///< not a constant of this tape
  bool needs_gradient() const {
    return recorded_ && node_->needs_gradient;
  }  ///< the sweep asks for its gradient
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

/// One recorded step. Lives in pooled memory, owned by its tape.
class Operation {
 public:
  /// While alive, a sweep is within the operation's backward function. TapeError where another one
  /// is already: a gradient asked for there would need itself.
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
  /// Of an operand that is left out the node is null.
  virtual std::pair<const Operand*, int> inputs() const = 0;
  /// Computes the output's value from the inputs' values (again, when it had been released).
  virtual void run() = 0;
  /// The same from nothing but the inputs, where run() also reads what was saved for it: so that a
  /// check can move an input and look at the output.
  virtual void run_from_inputs() { run(); }
  /// Propagates the gradient of the output to the inputs.
  virtual void backward(ReverseSweep& sweep) = 0;
  /// Computes the tangent of the output from those of the inputs (JVP). By default it transposes
  /// backward, which is linear in the gradient.
  virtual void jvp(ForwardSweep& sweep);
  /// Whether jvp reads no more values than backward does.
  virtual bool jvp_reads_only_saved() const { return false; }

  const Operand& output() const { return output_; }
  const ScopePath& place() const { return place_; }  ///< where it was recorded
  const Operation* next() const { return next_; }    ///< the one recorded after it, null at the end
  const Operation* previous() const { return previous_; }  ///< the one before it, null at the start
  /// Bytes that it keeps for the way back, beside values that are Variables.
  virtual Size saved_bytes() const { return 0; }
  /// Puts the operation at the end of the current tape, with `output` as what it computed. The tape
  /// owns it from then on.
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

/// An operation that is still its maker's: what throws before `release()->record_output` ends it.
template <class Op, class... Args>
std::unique_ptr<Op> new_operation(Args&&... args) {
  static_assert(alignof(Op) <= pool::kAlignment);
  return std::make_unique<Op>(std::forward<Args>(args)...);
}

}  // namespace hindsight
