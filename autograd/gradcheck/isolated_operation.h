#pragma once
#include <hindsight/autograd/tape/operation.h>
#include <hindsight/autograd/tape/parameter.h>

#include <vector>

/// What it takes to run one operation of a tape in isolation: inputs that can be perturbed, and a
/// backward that leaves all gradients as they were.
namespace hindsight::detail {

/// An input whose value can be perturbed, restored on destruction. Other values in the same memory
/// are not touched.
class PerturbedInput {
 public:
  explicit PerturbedInput(const Operand& input);
  ~PerturbedInput();
  PerturbedInput(const PerturbedInput&) = delete;
  PerturbedInput& operator=(const PerturbedInput&) = delete;

  Size elements() const { return original_.elements(); }
  const Tensor& original() const { return original_; }
  void set(Size index, double value) {
    region_.set(index, value);
    if (parameter_) parameter_.changed();
  }

 private:
  Node* node_;
  Buffer shared_;
  Parameter parameter_;
  Tensor parameter_value_, region_, original_;
};

/// The gradients that the operation's backward computes from `weights`, the gradient of its output:
/// one for each input, empty for those that need none.
std::vector<Tensor> backward_alone(Operation& op, const Tensor& weights);

}  // namespace hindsight::detail
