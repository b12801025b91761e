#pragma once
#include <hindsight/optim/optimizer.h>

namespace hindsight::optim {

struct SgdOptions {
  double learning_rate = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;  ///< adds weight_decay * w to the clipped gradient, as PyTorch does
  bool nesterov = false;    ///< needs momentum and no dampening
  double clip_norm = 0;     ///< this and the following: as in StepOptions
  std::vector<L2> regularizers = {};
  OnNonFinite on_non_finite = OnNonFinite::raise;
};

/// Stochastic gradient descent with (Nesterov) momentum, in PyTorch's form:
///   g += weight_decay w;  b = momentum b + (1 - dampening) g (first step: b = g)
///   w -= learning_rate (nesterov ? g + momentum b : b)
class Sgd : public Optimizer {
 public:
  explicit Sgd(const std::vector<Parameter>& parameters, const SgdOptions& options = {});

 protected:
  void update(std::size_t i, const Tensor& gradient, double scale) override;

 private:
  SgdOptions options_;
  std::vector<Tensor> momentum_;
  std::vector<bool> started_;  // whether each parameter's first step, where b = g, is done
};

}  // namespace hindsight::optim
