#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/nn/module.h>

namespace hindsight::nn {

/// Dropout in training, the identity while an Evaluation is active; shapes stay. It has a random
/// number generator of its own, seeded from the given one; masks do not depend on how
/// parallel_gradient() divides a batch. OptionError unless 0 <= rate < 1.
class Dropout : public Module {
 public:
  Dropout(double rate, Rng& rng);
  /// The last axis but one has the batch's rows: (B, H), (T, B, H). Of a vector, it is the only
  /// one.
  Variable operator()(const Variable& x) { return (*this)(x, x.rank() > 1 ? -2 : 0); }
  /// `row_axis` has them; IndexError if there is no such axis.
  Variable operator()(const Variable& x, int row_axis);

  double rate;

 private:
  Rng rng_;
};

}  // namespace hindsight::nn
