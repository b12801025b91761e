#pragma once
#include <hindsight/autograd/ops/dropout.h>
#include <hindsight/nn/module.h>

namespace hindsight::nn {

/// Dropout in training, the identity while an Evaluation is active; shapes stay. It has a random
/// number generator of its own, seeded from the given one. OptionError unless 0 <= rate < 1.
class Dropout : public Module {
 public:
  Dropout(double rate, Rng& rng);
  Variable operator()(const Variable& x);

  double rate;

 private:
  Rng rng_;
};

}  // namespace hindsight::nn
