#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/sequence.h>

#include <algorithm>

namespace hindsight {
namespace {

class PutStep final : public Operation {
 public:
  PutStep(const Variable& value, Tape& tape) : input_(value, Operand::Save::nothing, tape) {}
  const char* name() const override { return "put_step"; }
  std::pair<const Operand*, int> inputs() const override { return {&input_, 1}; }
  void run() override {
    Node* node = output_.node();
    if (!node->value) node->value = Buffer(node->bytes());
    copy(input_.variable().value(), output_.variable().value());
  }
  void backward(ReverseSweep& sweep) override {
    // The step's gradient is final here. Unless the sequence's is read afterwards, the value's may
    // use the same memory and accumulate there.
    if (!sweep.recorded() && input_.needs_gradient() && input_.may_adopt_gradient() &&
        !output_.node()->keep_gradient && !output_.node()->gradient->shared())
      return input_.node()->made_gradient().adopt(ReverseSweep::gradient(output_));
    sweep.add(input_, sweep.gradient_variable(output_));
  }
  void jvp(ForwardSweep& sweep) override {
    if (const Variable tangent = sweep.tangent(input_)) sweep.set(output_, tangent);
  }
  bool jvp_reads_only_saved() const override { return true; }

 private:
  Operand input_;
};

void record_step(const Variable& value, const Variable& step) {
  Tape& tape = *Tape::current();
  record(new_operation<PutStep>(tape, value, tape), step);
}

}  // namespace

namespace detail {

Variable empty_sequence(const Shape& shape, DType dtype) {
  const Variable whole(Tensor::zeros(shape, dtype));
  whole.node()->in_parts = true;
  return whole;
}

void put_part(const Variable& place, const Variable& value) {
  check_given("put_part", place);
  check_given("put_part", value, 1);
  copy(value.value(), place.value());
  if (!value.recorded()) return;
  record_step(value, place);
  place.node()->computed = false;  // no operation computes the zeros between the parts
}

}  // namespace detail

Sequence::Sequence(Size steps) : steps_(steps) {
  if (steps < 0 || steps > INT32_MAX)
    fail<ShapeError>("Sequence: {} steps; 0 to {} are supported", steps, INT32_MAX);
}

Variable Sequence::put(Size t, const Variable& value) { return place(t, 1, value.shape(), value); }

Variable Sequence::put_steps(Size first, const Variable& values) {
  check_given("Sequence", values);
  if (values.rank() == 0) fail<ShapeError>("Sequence: a scalar holds no steps");
  Shape shape = values.shape();
  shape.erase(0);
  return place(first, values.size(0), shape, values);
}

/// shape: of one step; values: of that shape for one step, (count, ...) for several.
Variable Sequence::place(Size first, Size count, const Shape& shape, const Variable& values) {
  check_given("Sequence", values);
  if (first < 0 || first > steps_ || count > steps_ - first) {
    const bool outside = first < 0 || first > steps_;
    fail<IndexError>("Sequence: step {} of {}", outside ? first : first + count - 1, steps_);
  }
  if (!whole_) {
    Shape whole = shape;
    whole.insert(0, steps_);
    put_.resize(static_cast<std::size_t>(steps_));
    whole_ = Variable::make(whole, values.dtype());
    whole_.node()->in_parts = true;
  }
  for (Size t = first; t < first + count; ++t) {
    if (put_[static_cast<std::size_t>(t)]) fail<IndexError>("Sequence: step {} is put twice", t);
  }
  Variable steps(whole_.node(), whole_.layout().slice(0, first, count));
  if (values.rank() < whole_.rank()) steps = whole_[first];
  Shape others = whole_.shape();
  others.erase(0);
  if (shape != others)
    fail<ShapeError>("Sequence: step {} has shape {}, the others {}", first, shape, others);
  check_same_dtype("Sequence", steps, values);
  const OperationScope scope;
  copy(values.value(), steps.value());
  if (values.recorded()) {
    record_step(values, steps);
  } else {
    constants_ = true;
  }
  std::fill_n(put_.begin() + first, count, true);
  scope.computed("put_step", steps);
  // No operation can recompute a constant step, so readers of the sequence must save its value.
  if (constants_) whole_.node()->computed = false;
  return steps;
}

}  // namespace hindsight
