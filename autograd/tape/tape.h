#pragma once
#include <hindsight/autograd/tape/sweep.h>

#include <unordered_set>
#include <vector>

namespace hindsight {

class ThreadTapes;

struct GradientOptions {
  /// Weights of the outputs' elements, one Variable an output; ones of a scalar when left out.
  std::vector<Variable> cotangents = {};
  /// Record the backward sweep too, so that the result can be differentiated again.
  bool create_graph = false;
  /// Throw TapeError when an output does not depend on an input, instead of returning zeros.
  bool throw_if_unused = false;
};

struct TangentOptions {
  /// Record the walk too, so that the tangents can be differentiated again.
  bool create_graph = false;
};

/// Records operations in the order they run while it is alive; the reverse sweep walks them from
/// the end. One tape is current per thread: the youngest of those alive that the thread made, in
/// whatever order they end, and on whichever thread. Where none is alive nothing is recorded.
class Tape {
 public:
  Tape();
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  /// Makes `value` an input whose gradient can be asked for.
  Variable watch(const Tensor& value);

  /// Adds the derivative of a recorded scalar to the gradient of every parameter it depends on,
  /// and uses the tape up: it is empty afterwards, what was recorded is constant, and recording can
  /// go on. TapeError for a non-scalar, something not recorded, a parameter that was changed since
  /// the tape used it, or a call from within another sweep of the tape or a checkpoint's function
  /// (gradient() works there); these leave everything as it is. When the sweep itself throws, the
  /// tape is used up and the gradients of its parameters are cleared, because a partial sum could
  /// not be told from a complete one.
  void backward(const Variable& loss);

  /// Derivatives of `outputs` with respect to `inputs` (watched, computed or parameters), in their
  /// order. Touches no parameter's gradient and keeps the tape. May be called within a sweep of the
  /// same tape, from a gradient hook or a checkpoint's function, as long as it does not lead
  /// through the operation that is being swept (TapeError).
  std::vector<Variable> gradient(const std::vector<Variable>& outputs,
                                 const std::vector<Variable>& inputs,
                                 const GradientOptions& options = {});
  std::vector<Variable> gradient(const Variable& output, const std::vector<Variable>& inputs,
                                 const GradientOptions& options = {}) {
    return gradient(std::vector<Variable>{output}, inputs, options);
  }

  /// Derivatives of `outputs` along `directions`, one for each of `inputs` (watched values or
  /// parameters, whole), in the outputs' order: forward mode, in one walk from the first operation.
  /// A direction may be an empty Variable for zero. Keeps the tape; with `create_graph` the
  /// tangents are recorded on it and can be differentiated again. ShapeError, DTypeError and
  /// TapeError name the direction that does not fit its input.
  std::vector<Variable> tangent(const std::vector<Variable>& outputs,
                                const std::vector<Variable>& inputs,
                                const std::vector<Variable>& directions,
                                const TangentOptions& options = {});

  Size operations() const { return count_; }  ///< recorded and not yet freed

  static Tape* current();

  /// While alive, `tape` is the current tape of the thread that made this, or none is where `tape`
  /// is null. The youngest one alive decides; they end in any order, and on any thread.
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
    Current* younger_ = nullptr;
  };

  /// While alive, nothing is recorded on this thread.
  class Pause : Current {
   public:
    Pause() : Current(nullptr) {}
  };

  // For operations ---------------------------------------------------------------------------

  std::uint64_t id() const { return id_; }
  void append(Operation* operation);
  const Operation* oldest() const { return first_; }  ///< Operation::next() leads to the others
  /// Sweeps what was recorded after `before`, newest first, frees what is passed, and records
  /// nothing.
  void backward_to(const Operation* before);
  /// Sweeps the same in a recorded sweep: it stays, and so does what the sweep records.
  void differentiate_recorded(const Operation* before, ReverseSweep& sweep);
  /// Frees what was recorded after `mark` without a sweep.
  void drop_after(const Operation* mark);
  /// Computes all released values again, for whoever looks at the operations.
  void restore_all();

  /// While alive, the tape runs code of the user that must not use it up: a sweep, or the function
  /// of a checkpoint.
  class Busy {
   public:
    explicit Busy(Tape& tape) : tape_(tape), restored_(tape.restored_.size()) { ++tape.busy_; }
    ~Busy();
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

   private:
    Tape& tape_;
    std::size_t restored_;
  };

  /// While alive, the tape is as it was before `operation` was recorded. What is recorded meanwhile
  /// comes after everything else.
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
  Operation* youngest() const { return last_; }

 private:
  friend class TangentSweep;
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
  Variable result(ReverseSweep& sweep, std::size_t i, const Variable& input,
                  bool throw_if_unused) const;
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

  std::uint64_t id_;
  int busy_ = 0;  // how many Busy are alive
  Operation* first_ = nullptr;
  Operation* last_ = nullptr;
  Size count_ = 0;
  ParameterUse* uses_ = nullptr;  // linked, for walking
  Buffer table_;                  // open-addressed index of uses_ by parameter
  std::size_t slots_ = 0, filled_ = 0;
  std::vector<Variable> restored_;  // values brought back for a recorded sweep
  Current current_{this};
};

/// The reverse sweep: every operation from `from` back to the one after `before` propagates the
/// gradient of its output, where it has one. `passed` gets it afterwards, with whether it had; it
/// may drop it.
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

/// The released values that operations recorded after `before` need when `reads` says that they
/// read their inputs: these, and what they are computed from.
template <class Reads>
std::unordered_set<const Node*> missing_values(const Tape& tape, const Operation* before,
                                               const Reads& reads) {
  std::unordered_set<const Node*> missing;
  std::size_t known;
  do {  // again, as an older operation may read a sequence that a younger one computes a part of
    known = missing.size();
    for (const Operation* op = tape.youngest(); op != before; op = op->previous()) {
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

/// Computes the released values again that operations after `before` need.
template <class Reads>
void Tape::restore_values(const Operation* before, const Reads& reads) {
  restore_values(before, missing_values(*this, before, reads));
}

}  // namespace hindsight
