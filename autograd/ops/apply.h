#pragma once
#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>

#include <vector>

/// Operations that are not elementwise: a name, a forward and a backward function side by side.
///
///   return apply("sum", {x}, Save::nothing, Shape{}, x.dtype(),
///                [](Inputs in, const Tensor& out) { ... },                       // on Tensors
///                [](BackwardContext& ctx) { ctx.add(0, ...ctx.gradient...); });  // on Variables
namespace hindsight {

/// Which values are saved for the backward function; others may be released.
enum class Save { nothing, inputs, output, all };

/// The inputs' values, as the forward function sees them.
class Inputs {
 public:
  Inputs(const Operand* operands, int count) : operands_(operands), count_(count) {}
  Tensor operator[](int i) const { return variable(i).value(); }
  Variable variable(int i) const { return operands_[i].variable(); }
  int count() const { return count_; }

 private:
  const Operand* operands_;
  int count_;
};

/// Throws, naming the operation, unless the gradient for input i has its dtype and its shape, or
/// one that the input broadcasts to.
void check_gradient(const Operation& operation, int i, const Variable& gradient);

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

namespace detail {

template <class Forward, class Backward>
class StructuralOperation final : public Operation {
 public:
  StructuralOperation(const char* name, const Variable* inputs, int count, Save save,
                      std::uint64_t tape, const Forward& forward, const Backward& backward)
      : name_(name),
        count_(count),
        memory_(static_cast<Size>(sizeof(Operand)) * count),
        forward_(forward),
        backward_(backward) {
    const bool keep = save == Save::inputs || save == Save::all;
    for (int i = 0; i < count; ++i) {
      new (operands() + i)
          Operand(inputs[i], keep ? Operand::Save::value : Operand::Save::nothing, tape);
    }
  }
  ~StructuralOperation() override {
    for (int i = 0; i < count_; ++i) operands()[i].~Operand();
  }
  const char* name() const override { return name_; }
  std::pair<const Operand*, int> inputs() const override { return {operands(), count_}; }
  void run() override {
    Node* node = output_.node();
    node->value = Buffer(node->shape.elements() * bytes_of(node->dtype));
    forward_(Inputs(operands(), count_), output_.variable().value());
  }
  void backward(ReverseSweep& sweep) override {
    BackwardContext ctx(sweep, *this);
    backward_(ctx);
  }
  void save_output(const Variable& output) { saved_output_ = output; }

 private:
  Operand* operands() const { return memory_.data<Operand>(); }

  const char* name_;
  int count_;
  Buffer memory_;
  Forward forward_;
  Backward backward_;
  Variable saved_output_;
};

}  // namespace detail

/// Computes an operation of `count` inputs into `output`, a new value, and records it when one of
/// them is recorded.
template <class Forward, class Backward>
Variable apply(const char* name, const Variable* inputs, int count, Save save,
               const Variable& output, const Forward& forward, const Backward& backward) {
  Tape* tape = Tape::current();
  bool recorded = false;
  for (int i = 0; i < count; ++i) {
    check_given(name, inputs[i], i);
    recorded = recorded || (tape && inputs[i].node()->tape == tape->id());
  }
  using Structural = detail::StructuralOperation<Forward, Backward>;
  const OperationScope scope;
  if (recorded) {
    auto operation =
        new_operation<Structural>(name, inputs, count, save, tape->id(), forward, backward);
    forward(Inputs(operation->inputs().first, count), output.value());
    if (save == Save::output || save == Save::all) operation->save_output(output);
    operation.release()->record_output(output);
  } else {
    const Structural operation(name, inputs, count, Save::inputs, 0, forward, backward);
    forward(Inputs(operation.inputs().first, count), output.value());
  }
  scope.computed(name, output);
  return output;
}

template <class Forward, class Backward>
Variable apply(const char* name, std::initializer_list<Variable> inputs, Save save,
               const Shape& shape, DType dtype, const Forward& forward, const Backward& backward) {
  return apply(name, inputs.begin(), static_cast<int>(inputs.size()), save,
               Variable::make(shape, dtype), forward, backward);
}

template <class Forward, class Backward>
Variable apply(const char* name, const Variable* inputs, int count, Save save, const Shape& shape,
               DType dtype, const Forward& forward, const Backward& backward) {
  return apply(name, inputs, count, save, Variable::make(shape, dtype), forward, backward);
}

/// DTypeError naming `op` and both types unless they agree.
void check_same_dtype(const char* op, const Variable& a, const Variable& b);

}  // namespace hindsight
