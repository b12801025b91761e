#pragma once
#include <hindsight/autograd/tape/arena.h>
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/autograd/tape/variable.h>

#include <memory>

namespace hindsight {

class Tape;
class ReverseSweep;
class ForwardSweep;

/// An operation's reference to one of its inputs or its output: the node, for its gradient, and its
/// value if backward reads it. That of an absent operand has no node and an empty layout.
class Operand {
 public:
  enum class Save { nothing, value };

  Operand() = default;
  /// An input of an operation of `tape`.
  Operand(const Variable& variable, Save save, Tape& tape);
  /// The output of an operation of `tape`, which computes it.
  static Operand output(const Variable& variable, Tape& tape);
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
    if (!whole()) Arena::release(const_cast<Layout*>(layout_));
    if (holds_) node_->drop_handle();  // the record dropped next still holds the node
    node_->drop_record();
  }

  Node* node() const { return node_; }
  const Layout& layout() const { return *layout_; }
  const Shape& shape() const { return layout_->shape; }
  /// Not a part or another view of the node's value.
  bool whole() const { return node_ && layout_ == &node_->layout; }
  bool recorded() const { return recorded_; }  ///< on the operation's tape, not a constant
  /// Whether the current sweep computes its gradient.
  bool needs_gradient() const { return recorded_ && node_->needs_gradient; }
  /// Whether its gradient is still empty and may take over memory that another computed.
  bool may_adopt_gradient() const {
    return whole() && !node_->parameter_gradient && !node_->use && !node_->has_gradient();
  }
  Variable variable() const { return node_ ? Variable(node_, *layout_) : Variable(); }
  /// Element 0 of the view's value.
  template <class T>
  T* data() const {
    return node_->value.data<T>() + layout_->offset;
  }

 private:
  Operand(const Variable& variable, bool holds, bool recorded, Tape& tape);

  static inline const Layout kAbsent{};

  Node* node_ = nullptr;
  const Layout* layout_ = &kAbsent;  // the node's, or the view's own in the tape's arena
  bool holds_ = false;
  bool recorded_ = false;
};

/// The operands of an operation, if their number is known only when it is recorded.
class Operands {
 public:
  Operands(Tape& tape, int count);  ///< absent ones
  Operands(const Operands&) = delete;
  Operands& operator=(const Operands&) = delete;
  ~Operands();

  Operand* data() { return data_; }
  const Operand* data() const { return data_; }
  int count() const { return count_; }
  Operand& operator[](int i) { return data_[i]; }
  const Operand& operator[](int i) const { return data_[i]; }

 private:
  Operand* data_;
  int count_;
};

/// One recorded step, in its tape's arena, owned by the tape.
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

  static void* operator new(std::size_t bytes, Arena& arena, std::size_t alignment) {
    return arena.allocate(bytes, alignment);
  }
  static void operator delete(void* block) { Arena::release(block); }
  static void operator delete(void* block, Arena&, std::size_t) { Arena::release(block); }

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

 protected:
  Operand output_;

 private:
  friend class Tape;
  friend class TangentSweep;
  friend void record(std::unique_ptr<Operation> operation, const Variable& output);
  [[noreturn]] void fail_in_progress() const;

  ScopePath place_;
  Operation* previous_ = nullptr;
  Operation* next_ = nullptr;
  bool in_progress_ = false;  // a sweep is within its backward function
};

/// Appends an operation, which was made for the current tape and computed `output`, to it. If this
/// throws (std::bad_alloc), the operation is destroyed and the tape is as before.
void record(std::unique_ptr<Operation> operation, const Variable& output);

}  // namespace hindsight
