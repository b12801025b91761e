#pragma once
#include <hindsight/optim/optimizer.h>

namespace hindsight::optim {

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool amsgrad = false;  ///< divides by the largest second moment so far (Reddi et al. 2018)
  double clip_norm = 0;  ///< this and the following: as in StepOptions
  std::vector<L2> regularizers = {};
  OnNonFinite on_non_finite = OnNonFinite::raise;
};

/// Adam (Kingma & Ba 2015) in PyTorch's form; weight_decay adds weight_decay * w to the gradient:
///   m = beta1 m + (1 - beta1) g   v = beta2 v + (1 - beta2) g^2
///   w -= learning_rate / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + epsilon)
class Adam : public Optimizer {
 public:
  explicit Adam(const std::vector<Parameter>& parameters, const AdamOptions& options = {});

 protected:
  enum class Decay { in_gradient, decoupled };
  Adam(const std::vector<Parameter>& parameters, const AdamOptions& options, Decay decay);
  void update(std::size_t i, const Tensor& gradient, double scale) override;

 private:
  AdamOptions options_;
  Decay decay_;
  std::vector<Tensor> first_, second_, largest_;
  std::vector<Size> updates_;  // how many each parameter had, for the bias correction
};

/// The options of Adam, with another default of weight_decay.
struct AdamWOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;
  double clip_norm = 0;
  std::vector<L2> regularizers = {};
  OnNonFinite on_non_finite = OnNonFinite::raise;
};

/// Adam with decoupled weight decay (Loshchilov & Hutter 2019), which leaves the gradient
/// unchanged: before the step, w -= learning_rate weight_decay w.
class AdamW : public Adam {
 public:
  explicit AdamW(const std::vector<Parameter>& parameters, const AdamWOptions& options = {});
};

}  // namespace hindsight::optim
