#pragma once
#include <hindsight/autograd/ops/dropout.h>
#include <hindsight/nn/module.h>

namespace hindsight::nn {

/// Dropout while training, the identity inside an Evaluation scope. Holds its own stream of random
/// numbers, started from the Rng it is given.
class Dropout : public Module {
 public:
  Dropout(double rate, Rng& rng);
  Variable operator()(const Variable& x);

  double rate;

 private:
  Rng rng_;
};

}  // namespace hindsight::nn
