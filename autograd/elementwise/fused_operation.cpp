#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/elementwise/gradient_sharing.h>
#include <hindsight/autograd/elementwise/loop_nest.h>
#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>

namespace hindsight::detail {

namespace {

/// What the operands of an expression determine about its result.
struct Result {
  Shape shape;
  DType dtype;
  std::uint64_t tape;  // id of the current tape, 0 if there is none
  bool recorded;
};

Result result_of(const FusedKernels& kernels, const Variable* const* leaves) {
  for (int k = 0; k < kernels.leaves; ++k) {
    if (!*leaves[k]) fail("{}: an operand is an empty Variable", kernels.name);
  }
  const Tape* tape = Tape::current();
  Result result{leaves[0]->shape(), leaves[0]->dtype(), tape ? tape->id() : 0, false};
  result.recorded = tape && leaves[0]->node()->tape == result.tape;
  for (int k = 1; k < kernels.leaves; ++k) {
    if (!broadcasts_to(leaves[k]->shape(), result.shape))
      result.shape =
          broadcast_shapes(kernels.meeting_function[k], result.shape, leaves[k]->shape());
    if (leaves[k]->dtype() != result.dtype) {
      fail<DTypeError>("{}: {} and {} operands are mixed; convert one", kernels.meeting_function[k],
                       name(result.dtype), name(leaves[k]->dtype()));
    }
    result.recorded = result.recorded || (tape && leaves[k]->node()->tape == result.tape);
  }
  return result;
}

}  // namespace

Variable evaluate(const FusedKernels& kernels, const void* program, const Variable* const* leaves,
                  FusedOperation* (*record)(const void* program, const Variable* const* leaves,
                                            std::uint64_t tape)) {
  const auto [shape, dtype, tape, recorded] = result_of(kernels, leaves);
  const OperationScope scope;
  const Layout layout(shape);  // first, because it throws for too many elements
  Node* node = Node::make(dtype, shape);
  Variable output(node, layout);
  node->value = Buffer(shape.elements() * bytes_of(dtype));
  const LoopNest loops =
      make_loop_nest(shape, kernels.leaves, [&](int k) { return &leaves[k]->layout(); });
  Buffer saved;
  if (recorded && kernels.saved)
    saved = Buffer(SavedLayout(loops, kernels.saved).elements(loops) * bytes_of(dtype));
  if (shape.elements() > 0) {
    std::array<const std::byte*, kMaxLeaves> in;
    for (int k = 0; k < kernels.leaves; ++k) {
      const Node* leaf = leaves[k]->node();
      in[static_cast<std::size_t>(k)] = leaf->value.data<std::byte>() +
                                        (leaf->base + leaves[k]->layout().offset) * bytes_of(dtype);
    }
    run_forward(kernels, program, loops, dtype, in.data(), node->value.data<std::byte>(),
                saved ? saved.data<std::byte>() : nullptr);
  }
  if (recorded) {
    FusedOperation* operation = record(program, leaves, tape);
    operation->saved_ = std::move(saved);
    operation->record_output(output);
  }
  scope.computed(kernels.name, output);
  return output;
}

void FusedOperation::run() {
  Node* node = output_.node();
  node->value = Buffer(node->shape.elements() * bytes_of(node->dtype));
  compute(node->value, Buffer());
}

void FusedOperation::run_saved() const {
  const Node* node = output_.node();
  if (saved_) compute(Buffer(node->shape.elements() * bytes_of(node->dtype)), saved_);
}

void FusedOperation::compute(const Buffer& value, const Buffer& saved) const {
  const Node* node = output_.node();
  if (node->shape.elements() == 0) return;
  const LoopNest loops =
      make_loop_nest(node->shape, kernels_->leaves, [&](int k) { return layout_of(k); });
  std::array<const std::byte*, kMaxOperands> in;
  for (int k = 0; k < kernels_->leaves; ++k) in[static_cast<std::size_t>(k)] = values_of(k);
  run_forward(*kernels_, program_, loops, node->dtype, in.data(), value.data<std::byte>(),
              saved ? saved.data<std::byte>() : nullptr);
}

const std::byte* FusedOperation::values_of(int k) const {
  const Operand& o = operands_[k];
  if (!o.node() || !o.node()->value) return nullptr;  // absent, or not read by any loop
  return o.node()->value.data<std::byte>() +
         (o.node()->base + o.layout().offset) * bytes_of(o.node()->dtype);
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
  SharedGradients shared(operands_, kernels_->leaves, kernels_->gradient_group, output_.shape());
  const auto claims = [&](std::size_t i) {
    return kernels_->receives[i] && operands_[i].needs_gradient() &&
           shared.of(i) == SharedGradients::kNone;
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
  const Tensor gradient = ReverseSweep::gradient(output_);
  BackwardPass pass(*kernels_, program_, loops, dtype, gradient.bytes(),
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
