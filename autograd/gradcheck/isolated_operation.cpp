#include <hindsight/autograd/gradcheck/isolated_operation.h>
#include <hindsight/autograd/tape/parameter_use.h>
#include <hindsight/autograd/tape/sweep.h>

#include <utility>

namespace hindsight::detail {

PerturbedInput::PerturbedInput(const Operand& input) : node_(input.node()) {
  if (const Parameter* parameter = parameter_of(input)) parameter_ = *parameter;
  if (!node_->value.unique()) {
    shared_ = node_->value;
    node_->value = Tensor(shared_, node_->layout, node_->dtype).contiguous_copy().buffer();
  }
  if (parameter_) {  // its transposed copy is made from the Parameter's value
    parameter_value_ = parameter_.value();
    parameter_.data()->value = Tensor(node_->value, node_->layout, node_->dtype);
  }
  region_ = input.variable().value();
  original_ = region_.contiguous_copy();
}

PerturbedInput::~PerturbedInput() {
  copy(original_, region_);
  if (shared_) node_->value = shared_;
  if (!parameter_) return;
  parameter_.data()->value = parameter_value_;
  parameter_.changed();
  node_->use->version = parameter_.data()->version;  // the value is again the one the tape used
}

namespace {

/// While active, the inputs of an operation accumulate their gradients in memory of their own, so
/// that its backward can run in isolation.
class ScratchGradients {
 public:
  explicit ScratchGradients(const Operation& op) : output_(op.output().node()) {
    const auto [inputs, count] = op.inputs();
    for (int i = 0; i < count; ++i) {
      Node* node = inputs[i].node();
      if (!node) continue;
      saved_.push_back({node, std::exchange(node->gradient, nullptr),
                        std::exchange(node->parameter_gradient, false)});
    }
  }
  ~ScratchGradients() {
    output_->release_gradient();
    for (std::size_t i = saved_.size(); i-- > 0;) {
      Node* const node = saved_[i].node;
      node->release_gradient();
      node->gradient = saved_[i].gradient;
      node->parameter_gradient = saved_[i].parameter_gradient;
    }
  }
  ScratchGradients(const ScratchGradients&) = delete;
  ScratchGradients& operator=(const ScratchGradients&) = delete;

 private:
  Node* output_;
  struct Saved {
    Node* node;
    Gradient* gradient;
    bool parameter_gradient;
  };
  std::vector<Saved> saved_;
};

}  // namespace

std::vector<Tensor> backward_alone(Operation& op, const Tensor& weights) {
  const ScratchGradients own(op);
  MemorySweep sweep(ReverseSweep::After::keep);
  sweep.add(op.output(), Variable(weights));
  sweep.through(op);
  std::vector<Tensor> gradients;
  const auto [inputs, count] = op.inputs();
  for (int i = 0; i < count; ++i) {
    const Node* node = inputs[i].node();
    if (inputs[i].needs_gradient() && node->use && node->use->leaf == node) node->use->flush();
    gradients.push_back(inputs[i].needs_gradient()
                            ? ReverseSweep::gradient(inputs[i]).contiguous_copy()
                            : Tensor());
  }
  return gradients;
}

}  // namespace hindsight::detail
