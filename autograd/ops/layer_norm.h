#pragma once
#include <hindsight/autograd/tape/variable.h>

namespace hindsight {

struct LayerNormOptions {
  double epsilon = 1e-5;  ///< added to the variance, which is 0 for equal values
};
/// Layer normalization over the last axis (Ba et al. 2016, arXiv 1607.06450). x: (..., N), weight
/// and bias: (N,) -> (..., N). The variance is the population's (divided by N). ShapeError when the
/// shapes do not fit or N is 0.
///   y = (x - mean) / sqrt(variance + epsilon) * weight + bias
Variable layer_norm(const Variable& x, const Variable& weight, const Variable& bias,
                    const LayerNormOptions& options = {});

}  // namespace hindsight
