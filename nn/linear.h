#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/nn/module.h>

namespace hindsight::nn {

struct LinearOptions {
  Size inputs = 0;
  Size outputs = 0;
  bool bias = true;
};

/// Affine map y = x W^T + b of the last axis: (..., inputs) -> (..., outputs). weight: (outputs,
/// inputs) and bias: (outputs,) are uniform in [-1/sqrt(inputs), 1/sqrt(inputs)), as in PyTorch.
/// OptionError for sizes below 1.
class Linear : public Module {
 public:
  Linear(const LinearOptions& options, Rng& rng);
  Variable operator()(const Variable& x) const;

  Parameter weight, bias;
};

}  // namespace hindsight::nn
