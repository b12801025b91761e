#pragma once
#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>

#include <type_traits>
#include <vector>

/// Operations that are not elementwise: a name, a forward and a backward function side by side.
///
///   return apply("sum", {x}, Save::nothing, Shape{}, x.dtype(),
///                [](Inputs in, const Tensor& out) { ... },                       // on Tensors
///                [](BackwardContext& ctx) { ctx.add(0, ...ctx.gradient...); });  // on Variables
///
/// A third function may give the Jacobian-vector product.
namespace hindsight {

/// Which values are saved for the backward function; others may be released.
enum class Save { nothing, inputs, output, all };

/// The inputs' values, as the forward function sees them.
class Inputs {
 public:
  Inputs(const Operand* operands, int count) : operands_(operands), count_(count) {}
  Inputs(const Variable* variables, int count) : variables_(variables), count_(count) {}
  Tensor operator[](int i) const { return variable(i).value(); }
  Variable variable(int i) const { return variables_ ? variables_[i] : operands_[i].variable(); }
  int count() const { return count_; }

 private:
  const Operand* operands_ = nullptr;
  const Variable* variables_ = nullptr;
  int count_;
};

/// Throws, naming the operation, unless the gradient for input i has its dtype and its shape, or
/// one that the input broadcasts to.
void check_gradient(const Operation& operation, int i, const Variable& gradient);

/// Throws, naming the operation, unless the tangent has the dtype and the shape of the output.
void check_tangent(const Operation& operation, const Variable& tangent);

/// Throws TapeError: the gradients that the operation computes cannot be differentiated again.
[[noreturn]] void throw_not_differentiable(const Operation& operation);

/// What a backward function reads and writes. In an ordinary sweep nothing that it computes is
/// recorded; in a recorded one everything is, so that it can be differentiated again.
class BackwardContext {
 public:
  BackwardContext(ReverseSweep& sweep, const Operation& operation)
      : gradient(sweep.gradient_variable(operation.output())),
        sweep_(sweep),
        operation_(operation),
        operands_(operation.inputs().first) {}

  const Variable gradient;  ///< of the output
  Variable input(int i) const { return operands_[i].variable(); }
  const Shape& shape(int i) const { return operands_[i].shape(); }
  Variable output() const { return operation_.output().variable(); }
  bool needs_gradient(int i) const { return operands_[i].needs_gradient(); }
  /// Adds to the gradient of input i, summed over axes that the input was broadcast along.
  /// ShapeError, DTypeError or IndexError, naming the operation, when the value does not fit the
  /// input; TapeError in a recorded sweep when it is not computed with operations on Variables.
  void add(int i, const Variable& value) {
    check_gradient(operation_, i, value);
    if (sweep_.recorded() && gradient.recorded() && !value.recorded())
      throw_not_differentiable(operation_);
    sweep_.add(operands_[i], value);
  }

 private:
  ReverseSweep& sweep_;
  const Operation& operation_;
  const Operand* operands_;
};

/// What a JVP function reads. Everything that it computes is recorded.
class JvpContext {
 public:
  JvpContext(const ForwardSweep& sweep, const Operation& operation)
      : sweep_(sweep), operation_(operation), operands_(operation.inputs().first) {}

  Variable input(int i) const { return operands_[i].variable(); }     ///< its value only if saved
  Variable output() const { return operation_.output().variable(); }  ///< its value only if saved
  /// Of input i; empty if it is zero.
  Variable tangent(int i) const { return sweep_.tangent(operands_[i]); }

 private:
  const ForwardSweep& sweep_;
  const Operation& operation_;
  const Operand* operands_;
};

namespace detail {

/// Stands for a JVP function that is not given: the sweep transposes the backward function.
struct NoJvp {};

template <class Forward, class Backward, class Jvp>
class StructuralOperation final : public Operation {
 public:
  StructuralOperation(const char* name, const Variable* inputs, int count, Save save, Tape& tape,
                      const Forward& forward, const Backward& backward, const Jvp& jvp)
      : name_(name), operands_(tape, count), forward_(forward), backward_(backward), jvp_(jvp) {
    const bool keep = save == Save::inputs || save == Save::all;
    for (int i = 0; i < count; ++i) {
      operands_[i] = Operand(inputs[i], keep ? Operand::Save::value : Operand::Save::nothing, tape);
    }
  }
  const char* name() const override { return name_; }
  std::pair<const Operand*, int> inputs() const override {
    return {operands_.data(), operands_.count()};
  }
  void run() override {
    Node* node = output_.node();
    node->value = Buffer(node->bytes());
    forward_(Inputs(operands_.data(), operands_.count()), output_.variable().value());
  }
  void backward(ReverseSweep& sweep) override {
    BackwardContext ctx(sweep, *this);
    backward_(ctx);
  }
  void jvp(ForwardSweep& sweep) override {
    if constexpr (kHasJvp) {
      const Variable tangent = jvp_(JvpContext(sweep, *this));
      if (!tangent) return;
      check_tangent(*this, tangent);
      sweep.set(output_, tangent);
    } else {
      sweep.transpose(*this);
    }
  }
  bool jvp_reads_only_saved() const override { return kHasJvp; }
  void save_output(const Variable& output) { saved_output_ = output; }

 private:
  static constexpr bool kHasJvp = !std::is_same_v<Jvp, NoJvp>;

  const char* name_;
  Operands operands_;
  Forward forward_;
  Backward backward_;
  Jvp jvp_;
  Variable saved_output_;
};

}  // namespace detail

/// Computes an operation of `count` inputs into `output`, a new value, and records it when one of
/// them is recorded. In forward mode, `jvp` returns the output's tangent, or an empty Variable for
/// zeros; without it, the backward function is transposed. Like the backward function, `jvp` may
/// read only saved values. ShapeError or DTypeError, naming the operation, if its tangent does not
/// fit the output.
template <class Forward, class Backward, class Jvp = detail::NoJvp>
Variable apply(const char* name, const Variable* inputs, int count, Save save,
               const Variable& output, const Forward& forward, const Backward& backward,
               const Jvp& jvp = {}) {
  Tape* tape = Tape::current();
  bool recorded = false;
  for (int i = 0; i < count; ++i) {
    check_given(name, inputs[i], i);
    recorded = recorded || (tape && inputs[i].node()->tape == tape->id());
  }
  using Structural = detail::StructuralOperation<Forward, Backward, Jvp>;
  const OperationScope scope;
  if (recorded) {
    auto operation =
        new_operation<Structural>(*tape, name, inputs, count, save, *tape, forward, backward, jvp);
    forward(Inputs(inputs, count), output.value());
    if (save == Save::output || save == Save::all) operation->save_output(output);
    record(std::move(operation), output);
  } else {
    forward(Inputs(inputs, count), output.value());
  }
  scope.computed(name, output);
  return output;
}

template <class Forward, class Backward, class Jvp = detail::NoJvp>
Variable apply(const char* name, std::initializer_list<Variable> inputs, Save save,
               const Shape& shape, DType dtype, const Forward& forward, const Backward& backward,
               const Jvp& jvp = {}) {
  return apply(name, inputs.begin(), static_cast<int>(inputs.size()), save,
               Variable::make(shape, dtype), forward, backward, jvp);
}

template <class Forward, class Backward, class Jvp = detail::NoJvp>
Variable apply(const char* name, const Variable* inputs, int count, Save save, const Shape& shape,
               DType dtype, const Forward& forward, const Backward& backward, const Jvp& jvp = {}) {
  return apply(name, inputs, count, save, Variable::make(shape, dtype), forward, backward, jvp);
}

/// DTypeError naming `op` and both types unless they agree.
void check_same_dtype(const char* op, const Variable& a, const Variable& b);

}  // namespace hindsight
