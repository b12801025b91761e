#pragma once
#include <hindsight/autograd/operation.h>

#include <vector>

namespace hindsight {

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
/// the end. One tape is current per thread: the youngest. Where none is alive nothing is recorded.
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
  /// go on. TapeError for a non-scalar, something not recorded, or a parameter whose type changed;
  /// these leave everything as it is. When the sweep itself throws, the tape is used up and the
  /// gradients of its parameters are cleared, since half a sum would look like a whole one.
  void backward(const Variable& loss);

  /// Derivatives of `outputs` with respect to `inputs` (watched, computed or parameters), in their
  /// order. Touches no parameter's gradient and keeps the tape.
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

  /// While alive, nothing is recorded on this thread.
  class Pause {
   public:
    Pause();
    ~Pause();
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;

   private:
    Tape* paused_;
  };

  // For operations ---------------------------------------------------------------------------

  std::uint64_t id() const { return id_; }
  void append(Operation* operation);
  const Operation* oldest() const { return first_; }  ///< Operation::next() leads to the others
  /// Sweeps what was recorded after `mark`, youngest first, frees what is passed, and records
  /// nothing.
  void use_up(const Operation* mark);
  /// Sweeps the same in a recorded sweep: it stays, and so does what the sweep records.
  void derive(const Operation* mark, Sweep& sweep);
  /// Frees it without a sweep.
  void drop_after(const Operation* mark);

  /// While alive, this tape is the current one, or none is.
  class Current {
   public:
    explicit Current(Tape* tape);
    ~Current();
    Current(const Current&) = delete;
    Current& operator=(const Current&) = delete;

   private:
    Tape* before_;
  };

  ParameterUse& use_of(const Parameter& parameter);
  Operation* youngest() const { return last_; }

 private:
  friend class Sweep;
  friend class Pushforward;

  void drop(Operation* operation);
  void flush();
  void forget();
  void settle(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs);
  void check_output(const char* op, const Variable& output) const;
  void check_parameters(const char* op) const;
  void restore_values(const Operation* before);
  Variable pull_back(Operation* before, const std::vector<Variable>& outputs,
                     const std::vector<Variable>& cotangents, const Variable& input);
  void mark_wanted(const std::vector<Variable>& inputs);

  std::uint64_t id_;
  Tape* outer_;
  Operation* first_ = nullptr;
  Operation* last_ = nullptr;
  Size count_ = 0;
  ParameterUse* uses_ = nullptr;  // linked, for walking
  Buffer table_;                  // open-addressed index of uses_ by parameter
  std::size_t slots_ = 0, filled_ = 0;
  std::vector<Variable> restored_;  // values brought back for a recorded sweep
};

}  // namespace hindsight
