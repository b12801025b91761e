#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/elementwise/gradient_sharing.h>
#include <hindsight/autograd/elementwise/loop_nest.h>
#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>

namespace hindsight::detail {

Variable evaluate(const FusedKernels& kernels, const void* program, const Variable* const* leaves,
                  FusedOperation* (*record)(const void* program, const Variable* const* leaves,
                                            std::uint64_t tape)) {
  for (int k = 0; k < kernels.leaves; ++k) {
    if (!*leaves[k]) fail("{}: an operand is an empty Variable", kernels.name);
  }
  Shape shape = leaves[0]->shape();
  const DType dtype = leaves[0]->dtype();
  const Tape* tape = Tape::current();
  const std::uint64_t id = tape ? tape->id() : 0;
  bool recorded = tape && leaves[0]->node()->tape == id;
  for (int k = 1; k < kernels.leaves; ++k) {
    if (!broadcasts_to(leaves[k]->shape(), shape))
      shape = broadcast_shapes(kernels.meeting_function[k], shape, leaves[k]->shape());
    if (leaves[k]->dtype() != dtype) {
      fail<DTypeError>("{}: {} and {} operands are mixed; convert one", kernels.meeting_function[k],
                       name(dtype), name(leaves[k]->dtype()));
    }
    recorded = recorded || (tape && leaves[k]->node()->tape == id);
  }
  const OperationScope scope;
  const Layout layout(shape);  // throws for too many elements: before there is a node to lose
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
    FusedOperation* operation = record(program, leaves, id);
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
  if (!o.node() || !o.node()->value) return nullptr;  // left out, or read by no loop
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

  const auto leaves = static_cast<std::size_t>(kernels_->leaves);
  const auto zero_first = [&](std::size_t i) {
    operands_[i].node()->gradient->memory(operands_[i].layout(), dtype).fill(0);
    pass.accumulate[i] = true;
  };
  const auto claim = [&](std::size_t i) {
    const Operand& o = operands_[i];
    const Gradient::Target target = ReverseSweep::target(o);
    pass.to[i] = target.base;
    pass.accumulate[i] = target.accumulate;
    if (target.accumulate) {
      // An operand that meets another part of the same value here: what that one was to assign may
      // be added to before it is reached.
      for (std::size_t j = 0; j < i; ++j) {
        if (pass.to[j] && !pass.accumulate[j] && operands_[j].node() == o.node() &&
            !(operands_[j].layout() == o.layout()))
          zero_first(j);
      }
      return;
    }
    bool repeats = !loops.dense;
    for (int g = 2; g < loops.groups; ++g)
      repeats = repeats || loops.step[static_cast<std::size_t>(g)][i] == 0;
    if (repeats) zero_first(i);
  };

  const auto wanted = [&](std::size_t i) {
    return kernels_->receives[i] && operands_[i].needs_gradient();
  };
  SharedGradients lenders(operands_, kernels_->leaves, kernels_->gradient_group, shape);
  for (std::size_t i = 0; i < leaves; ++i) {
    pass.to[i] = nullptr;
    if (wanted(i) && lenders.of(i) == SharedGradients::kNone) claim(i);
  }
  lenders.borrow(pass.accumulate.data());
  for (std::size_t i = 0; i < leaves; ++i) {
    if (wanted(i) && lenders.of(i) == SharedGradients::kNone && !pass.to[i]) claim(i);
  }
  for (std::size_t i = 0; i < leaves; ++i) {  // only now: claiming may move a gradient
    const Operand& o = operands_[i];
    pass.in[i] = kernels_->reads_leaf[i] ? values_of(static_cast<int>(i)) : nullptr;
    if (pass.to[i]) pass.to[i] = o.node()->gradient->base() + o.layout().offset * bytes;
  }
  pass.run();
}

}  // namespace hindsight::detail
