#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/elementwise/gradient_sharing.h>
#include <hindsight/autograd/elementwise/loop_nest.h>
#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>

namespace hindsight::detail {

namespace {

/// Checks the operands and returns the shape of the result.
Shape result_shape(const FusedKernels& kernels, const Variable* const* leaves) {
  for (int k = 0; k < kernels.leaves; ++k) {
    if (!*leaves[k]) fail("{}: an operand is an empty Variable", kernels.name);
  }
  Shape shape = leaves[0]->shape();
  const DType dtype = leaves[0]->dtype();
  for (int k = 1; k < kernels.leaves; ++k) {
    if (!broadcasts_to(leaves[k]->shape(), shape))
      shape = broadcast_shapes(kernels.meeting_function[k], shape, leaves[k]->shape());
    if (leaves[k]->dtype() != dtype) {
      fail<DTypeError>("{}: {} and {} operands are mixed; convert one", kernels.meeting_function[k],
                       name(dtype), name(leaves[k]->dtype()));
    }
  }
  return shape;
}

/// Row-major: that of an operand if one has it, because copying takes less time than computing.
Layout result_layout(const Shape& shape, const Variable* const* leaves, int count) {
  for (int k = 0; k < count; ++k) {
    const Layout& layout = leaves[k]->layout();
    if (layout.offset == 0 && layout.shape == shape && layout.contiguous()) return layout;
  }
  return Layout(shape);
}

/// The current tape if a leaf is recorded on it, else null.
Tape* recording_tape(const Variable* const* leaves, int count) {
  Tape* tape = Tape::current();
  for (int k = 0; tape && k < count; ++k) {
    if (leaves[k]->node()->tape == tape->id()) return tape;
  }
  return nullptr;
}

}  // namespace

Variable evaluate(const FusedKernels& kernels, const void* program, const Variable* const* leaves,
                  std::unique_ptr<FusedOperation> (*make)(const void* program,
                                                          const Variable* const* leaves, Tape&)) {
  const Shape shape = result_shape(kernels, leaves);
  const DType dtype = leaves[0]->dtype();
  Tape* const tape = recording_tape(leaves, kernels.leaves);
  const OperationScope scope;
  // First, because it throws for too many elements.
  const Layout layout = result_layout(shape, leaves, kernels.leaves);
  Node* node = Node::make(dtype, layout);
  Variable output(node, layout);
  const Size elements = shape.elements();
  node->value = Buffer(elements * bytes_of(dtype));
  const LoopNest loops =
      make_loop_nest(shape, kernels.leaves, [&](int k) { return &leaves[k]->layout(); });
  Buffer saved;
  if (tape && kernels.saved)
    saved = Buffer(SavedLayout(loops, kernels.saved).elements(loops) * bytes_of(dtype));
  if (elements > 0) {
    std::array<const void*, kMaxLeaves> in;
    for (int k = 0; k < kernels.leaves; ++k) {
      in[static_cast<std::size_t>(k)] =
          leaves[k]->node()->value.data<std::byte>() + leaves[k]->layout().offset * bytes_of(dtype);
    }
    run_forward(kernels, program, loops, dtype, in.data(), node->value.data<std::byte>(),
                saved ? saved.data<std::byte>() : nullptr);
  }
  if (tape) {
    auto operation = make(program, leaves, *tape);
    operation->saved_ = std::move(saved);
    record(std::move(operation), output);
  }
  scope.computed(kernels.name, output);
  return output;
}

void FusedOperation::run() {
  Node* node = output_.node();
  node->value = Buffer(node->bytes());
  compute(*node, node->value, Buffer());
}

void FusedOperation::run_saved() const {
  const Node* node = output_.node();
  if (saved_) compute(*node, Buffer(node->bytes()), saved_);
}

void FusedOperation::compute(const Node& output, const Buffer& value, const Buffer& saved) const {
  const Shape& shape = output.shape();
  if (shape.elements() == 0) return;
  const LoopNest loops =
      make_loop_nest(shape, kernels_->leaves, [&](int k) { return layout_of(k); });
  std::array<const void*, kMaxOperands> in;
  for (int k = 0; k < kernels_->leaves; ++k) in[static_cast<std::size_t>(k)] = values_of(k);
  run_forward(*kernels_, program_, loops, output.dtype, in.data(), value.data<std::byte>(),
              saved ? saved.data<std::byte>() : nullptr);
}

const std::byte* FusedOperation::values_of(int k) const {
  const Operand& o = operands_[k];
  if (!o.node() || !o.node()->value) return nullptr;  // absent, or not read by any loop
  return o.node()->value.data<std::byte>() + o.layout().offset * bytes_of(o.node()->dtype);
}

void FusedOperation::backward_recorded(ReverseSweep& sweep) {
  const auto leaves = static_cast<std::size_t>(kernels_->leaves);
  std::array<Variable, kMaxLeaves> values, gradients;
  for (std::size_t i = 0; i < leaves; ++i) values[i] = operands_[i].variable();
  kernels_->differentiate(program_, values.data(), sweep.gradient_variable(output_),
                          gradients.data());
  for (std::size_t i = 0; i < leaves; ++i) sweep.add(operands_[i], gradients[i]);
}

void FusedOperation::zero_first(std::size_t i, BackwardPass* pass) const {
  const Operand& o = operands_[i];
  o.node()->gradient->memory(o.layout(), o.node()->dtype).fill(0);
  pass->accumulate[i] = true;
}

/// Allocates memory for the gradient of operand i.
void FusedOperation::claim(std::size_t i, BackwardPass* pass) const {
  const Operand& o = operands_[i];
  const Gradient::Target target = ReverseSweep::target(o);
  pass->to[i] = target.base;
  pass->accumulate[i] = target.accumulate;
  if (target.accumulate) {
    // Operand j may be an overlapping part of the same value. The loop may then add to its elements
    // before it assigns them, so they are zeroed, and it adds as well.
    for (std::size_t j = 0; j < i; ++j) {
      if (pass->to[j] && !pass->accumulate[j] && operands_[j].node() == o.node() &&
          !(operands_[j].layout() == o.layout()))
        zero_first(j, pass);
    }
  } else if (pass->loops.repeats(i)) {
    zero_first(i, pass);
  }
}

/// Allocates memory for the gradients that are needed; addends of a sum share theirs.
void FusedOperation::claim_targets(BackwardPass* pass) const {
  const auto leaves = static_cast<std::size_t>(kernels_->leaves);
  const auto receives = [&](std::size_t i) {
    return kernels_->receives[i] && operands_[i].needs_gradient();
  };
  if (!kernels_->gradient_group || !SharedGradients::worthwhile(output_.shape())) {
    for (std::size_t i = 0; i < leaves; ++i) {
      pass->to[i] = nullptr;
      if (receives(i)) claim(i, pass);
    }
    return;
  }
  SharedGradients shared(operands_, kernels_->leaves, kernels_->gradient_group, output_.shape());
  const auto claims = [&](std::size_t i) {
    return receives(i) && shared.of(i) == SharedGradients::kNone;
  };
  for (std::size_t i = 0; i < leaves; ++i) {
    pass->to[i] = nullptr;
    if (claims(i)) claim(i, pass);
  }
  shared.share(pass->accumulate.data());
  for (std::size_t i = 0; i < leaves; ++i) {
    if (claims(i) && !pass->to[i]) claim(i, pass);
  }
}

void FusedOperation::backward(ReverseSweep& sweep) {
  if (sweep.recorded()) return backward_recorded(sweep);
  const DType dtype = output_.node()->dtype;
  const Shape& shape = output_.shape();
  const Size bytes = bytes_of(dtype);
  if (shape.elements() == 0) return;
  const LoopNest loops =
      make_loop_nest(shape, kernels_->leaves, [&](int k) { return layout_of(k); });
  Gradient& gradient = *output_.node()->gradient;
  gradient.complete(shape, dtype);
  BackwardPass pass(*kernels_, program_, loops, dtype, gradient.base(),
                    saved_ ? saved_.data<std::byte>() : nullptr);
  claim_targets(&pass);
  const auto leaves = static_cast<std::size_t>(kernels_->leaves);
  for (std::size_t i = 0; i < leaves; ++i) {  // after all claims, which may move gradients
    const Operand& o = operands_[i];
    pass.in[i] = kernels_->reads_leaf[i] ? values_of(static_cast<int>(i)) : nullptr;
    if (pass.to[i]) pass.to[i] = o.node()->gradient->base() + o.layout().offset * bytes;
  }
  pass.run();
}

}  // namespace hindsight::detail
