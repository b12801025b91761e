#pragma once
#include <hindsight/nn/linear.h>

namespace hindsight::nn {

struct RidgeOptions {
  double penalty = 1e-6;  ///< beta, on a sum over rows: twice the rows ask for twice the penalty
  bool bias = true;
  bool penalize_bias = false;
};

/// Ridge regression (Hoerl & Kennard 1970): the affine map that minimises
///   sum over rows |W x + b - y|^2 + beta |W|^2
/// states x: (..., H), targets y: (..., O), of either dtype, with the same leading axes, each index
/// a row: (N, H) or (T, B, H) with (N, O) or (T, B, O) -> a Linear with weight (O, H), in the dtype
/// of the states. Computed in double by a Cholesky decomposition. Without a penalty, or with one
/// that rounding would hide, the least squares come from the singular values; of several solutions,
/// the one with the smallest weights.
/// ShapeError when shapes do not fit, or for fewer rows than weights of one target (H, and 1 for a
/// bias) without a penalty; OptionError unless the penalty is finite and at least 0; NonFiniteError
/// for NaN and infinite elements, and for weights beyond the range of the dtype.
Linear ridge(const Tensor& states, const Tensor& targets, const RidgeOptions& options = {});

}  // namespace hindsight::nn
