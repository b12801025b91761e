#pragma once
#include <hindsight/autograd/tape/sweep.h>

#include <atomic>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace hindsight {

class ThreadTapes;

struct GradientOptions {
  /// Weights of the outputs' elements, one Variable for each output. If left out, every output must
  /// have one element, and its weight is 1.
  std::vector<Variable> cotangents = {};
  /// Record the reverse sweep too, so that the result can be differentiated again.
  bool create_graph = false;
  /// Throw TapeError if an output depends on no input, or an input affects no output, instead of
  /// returning zeros.
  bool throw_if_unused = false;
};

struct TangentOptions {
  /// Record the forward sweep too, so that the tangents can be differentiated again.
  bool create_graph = false;
};

/// Records operations in the order they run; the reverse sweep processes them from the end. A
/// thread records on its current tape: the newest of the existing tapes that it created. Without
/// one, nothing is recorded. A tape belongs to the thread that created it, since nothing in it is
/// synchronised, but tapes may be destroyed in any order and on any thread.
class Tape {
 public:
  Tape();
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// An input with this value, with respect to which derivatives can be computed. It shares the
  /// memory of a row-major `value` that starts where its buffer starts, and copies any other. Error
  /// if `value` is empty.
  Variable watch(const Tensor& value);

  /// Adds the derivative of a recorded scalar to the gradient of every parameter it depends on,
  /// and consumes the tape: it is empty afterwards, what was recorded is constant, and recording
  /// can continue. TapeError if the loss is not a scalar or not recorded, if a parameter was
  /// changed since the tape used it, or within another sweep of the tape or a checkpoint's function
  /// (gradient() works there); these errors change nothing. If the sweep itself throws, the tape is
  /// consumed and the gradients of its parameters are cleared, because a partial sum could not be
  /// told from a complete one.
  void backward(const Variable& loss);

  /// Derivatives of `outputs` with respect to `inputs` (watched or computed values, or parameters),
  /// in the inputs' order and shapes. Changes no parameter's gradient and keeps the tape. May be
  /// called within a sweep of the same tape, from a gradient hook or a checkpoint's function,
  /// unless the result depends on the operation whose backward is running (TapeError).
  std::vector<Variable> gradient(const std::vector<Variable>& outputs,
                                 const std::vector<Variable>& inputs,
                                 const GradientOptions& options = {});
  std::vector<Variable> gradient(const Variable& output, const std::vector<Variable>& inputs,
                                 const GradientOptions& options = {}) {
    return gradient(std::vector<Variable>{output}, inputs, options);
  }

  /// Derivatives of `outputs` along `directions`, one for each of `inputs` (whole watched values or
  /// parameters), in the outputs' order and shapes: forward mode, in one sweep from the first
  /// operation. An empty Variable stands for a direction of zeros. Keeps the tape; with
  /// `create_graph` the tangents are recorded on it and can be differentiated again. ShapeError or
  /// DTypeError if a direction does not fit its input, TapeError for a wrong number of them or an
  /// unsuitable input.
  std::vector<Variable> tangent(const std::vector<Variable>& outputs,
                                const std::vector<Variable>& inputs,
                                const std::vector<Variable>& directions,
                                const TangentOptions& options = {});

  Size operations() const { return count_; }  ///< recorded and not yet freed

  /// That of the calling thread; null if it records nothing.
  static Tape* current() { return of_thread_.load(std::memory_order_relaxed); }

  /// While active, `tape` is the current tape of the thread that created this; if null, the thread
  /// records nothing. The newest active one decides; they may be destroyed in any order and on any
  /// thread.
  class Current {
   public:
    explicit Current(Tape* tape);
    ~Current();
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    friend class ThreadTapes;

    Tape* tape_;
    ThreadTapes* thread_;  // null once that thread has ended
    Current* older_;
    Current* newer_ = nullptr;
  };

  /// While active, nothing is recorded on this thread.
  class Pause : Current {
   public:
    Pause() : Current(nullptr) {}
  };

  // For operations ---------------------------------------------------------------------------

  std::uint64_t id() const { return id_; }
  Arena& arena() { return arena_; }  ///< of operations and their operands
  void append(Operation* operation);
  const Operation* oldest() const { return first_; }  ///< Operation::next() leads to the others
  /// Sweeps the operations recorded after `before`, newest first, and frees each one; records
  /// nothing.
  void backward_to(const Operation* before);
  /// Sweeps the same operations with a recorded sweep; they stay on the tape, as does what the
  /// sweep records.
  void differentiate_recorded(const Operation* before, ReverseSweep& sweep);
  /// Frees the operations recorded after `mark` without a sweep.
  void drop_after(const Operation* mark);
  /// Recomputes all released values, for tools that inspect the operations.
  void restore_all();

  /// While active, a sweep or the function of a checkpoint runs, which may call the user's code:
  /// backward() throws, because it would consume the tape.
  class Busy {
   public:
    explicit Busy(Tape& tape) : tape_(tape), restored_(tape.restored_.size()) { ++tape.busy_; }
    ~Busy();
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    Tape& tape_;
    std::size_t restored_;  // size of Tape::restored_ at the start
  };

  /// While active, the tape is as it was before `operation` was recorded. On destruction, what was
  /// recorded meanwhile is moved to the end.
  class Rewound {
   public:
    Rewound(Tape& tape, Operation& operation);
    ~Rewound();
    Rewound(const Rewound&) = delete;
    Rewound& operator=(const Rewound&) = delete;

   private:
    Operation*& next_of_before() { return before_ ? before_->next_ : tape_.first_; }

    Tape& tape_;
    Operation *before_, *first_, *last_;
  };

  ParameterUse& use_of(const Parameter& parameter);
  Operation* newest() const { return last_; }

 private:
  friend class TangentSweep;
  friend class ThreadTapes;
  class SetAside;

  void drop(Operation* operation);
  void flush();
  void clear();
  void reset_marks(const Operation* before, const std::vector<Variable>& ends);
  void check_output(const char* op, const Variable& output) const;
  void check_parameters(const char* op) const;
  template <class F>
  void for_each_node(const Operation* before, const std::vector<Variable>& ends, F&& f) const;
  const Operation* older_than(const std::vector<Variable>& inputs) const;
  bool used_up(const Variable& output) const;
  void seed(ReverseSweep& sweep, std::size_t i, const Variable& output,
            const GradientOptions& options);
  Variable result(ReverseSweep& sweep, std::size_t i, const Variable& input, bool throw_if_unused);
  template <class Passed>
  void sweep_back(ReverseSweep& sweep, Operation* from, const Operation* before, Passed&& passed);
  template <class Reads>
  void restore_values(const Operation* before, const Reads& reads);
  void restore_values(const Operation* before, const std::unordered_set<const Node*>& missing);
  Variable pull_back(Operation* before, const std::vector<Variable>& outputs,
                     const std::vector<Variable>& cotangents, const Variable& input);
  void restore_between(const Operation* before, const std::vector<Variable>& outputs);
  void mark_needed(const Operation* before, const std::vector<Variable>& ends,
                   const std::vector<Variable>& inputs);
  void check_gradient_of(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs,
                         const GradientOptions& options) const;
  void check_directions(const std::vector<Variable>& inputs,
                        const std::vector<Variable>& directions) const;

  // Atomic, because a tape may be destroyed on another thread; without a destructor, because every
  // operation reads it.
  static inline thread_local std::atomic<Tape*> of_thread_{nullptr};

  Arena arena_;  // destroyed last
  std::uint64_t id_;
  int busy_ = 0;  // number of active Busy
  Operation* first_ = nullptr;
  Operation* last_ = nullptr;
  Size count_ = 0;
  ParameterUse* uses_ = nullptr;  // linked list
  std::unordered_map<const Parameter::Data*, ParameterUse*, std::hash<const Parameter::Data*>,
                     std::equal_to<const Parameter::Data*>,
                     pool::Allocator<std::pair<const Parameter::Data* const, ParameterUse*>>>
      use_of_;
  std::vector<Variable> restored_;  // values recomputed for a recorded or forward sweep
  Current current_{this};
};

inline Operand::Operand(const Variable& variable, bool holds, bool recorded, Tape& tape)
    : node_(variable.node()), holds_(holds), recorded_(recorded) {
  if (variable.layout() == node_->layout) {
    layout_ = &node_->layout;
  } else {
    layout_ = new (tape.arena().allocate(sizeof(Layout))) Layout(variable.layout());
  }
  node_->add_record();
  if (holds_) node_->add_handle();
}

// With create_graph, released values are recomputed from the leaves, so values that no operation
// computes are held.
inline Operand::Operand(const Variable& variable, Save save, Tape& tape)
    : Operand(
          variable,
          save == Save::value || !(variable.node()->computed && variable.node()->tape == tape.id()),
          variable.node()->tape == tape.id(), tape) {}

inline Operand Operand::output(const Variable& variable, Tape& tape) {
  return {variable, false, true, tape};
}

/// An operation for `tape`, not yet recorded; owned by the caller, so that an exception before
/// record() destroys it.
template <class Op, class... Args>
std::unique_ptr<Op> new_operation(Tape& tape, Args&&... args) {
  return std::unique_ptr<Op>(new (tape.arena(), alignof(Op)) Op(std::forward<Args>(args)...));
}

/// The reverse sweep: every operation from `from` back to the one after `before` propagates the
/// gradient of its output, if it has one. Then `passed` is called with the operation and whether
/// its output had a gradient; it may drop the operation.
template <class Passed>
void Tape::sweep_back(ReverseSweep& sweep, Operation* from, const Operation* before,
                      Passed&& passed) {
  for (Operation* op = from; op != before;) {
    Operation* const older = op->previous_;
    const bool reached = sweep.reached(*op);
    if (reached) sweep.through(*op);
    passed(*op, reached);
    op = older;
  }
}

/// The released values that operations recorded after `before` need if they read their inputs,
/// which `reads(operation)` says: the inputs, and what these are computed from.
template <class Reads>
std::unordered_set<const Node*> missing_values(const Tape& tape, const Operation* before,
                                               const Reads& reads) {
  std::unordered_set<const Node*> missing;
  std::size_t known;
  do {  // repeated: an older operation may read a sequence of which a newer one computes a part
    known = missing.size();
    for (const Operation* op = tape.newest(); op != before; op = op->previous()) {
      if (!reads(*op) && missing.count(op->output().node()) == 0) continue;
      const auto [inputs, count] = op->inputs();
      for (int i = 0; i < count; ++i) {
        const Node* input = inputs[i].node();
        if (input && !input->value) missing.insert(input);
      }
    }
  } while (missing.size() > known);
  return missing;
}

/// Recomputes the released values that operations after `before` need.
template <class Reads>
void Tape::restore_values(const Operation* before, const Reads& reads) {
  restore_values(before, missing_values(*this, before, reads));
}

}  // namespace hindsight
