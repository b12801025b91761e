#pragma once
#include <hindsight/nn/linear_cell.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct SruOptions {
  /// The gates see the state, too, as in the paper's version of 2018. Then the recurrence is not
  /// linear, and runs step by step.
  bool gates_see_state = false;
  double highway_bias = 0;  ///< initial value of b_r
  /// alpha = sqrt(1 + 2 exp(highway_bias)), which keeps the variance over many layers; else 1.
  bool rescale = true;
};

/// Simple recurrent unit (Lei et al. 2017, arXiv 1709.02755), with the initial values of the
/// authors' code: weights of variance 1/I, uniform; b_f = 0. Rows of weight_ih: W, W_f, W_r, and
/// W_x if I differs from H. Rows of bias and weight_c: f, r.
/// state {c}: (B, H) -> the same; output: (B, H).
///   f = sigmoid(W_f x + b_f)    c' = f c + (1 - f) W x
///   r = sigmoid(W_r x + b_r)    h = r c' + (1 - r) x~
///   x~ = alpha x, or W_x x if I differs from H, where alpha scales the initial values
/// If the gates see the state, v_f c and v_r c are added in the sigmoids; v has variance 1/2, and
/// W_f and W_r are initially smaller by sqrt(1/2).
class SruCell : public LinearCell {
 public:
  SruCell(Size input, Size hidden, Rng& rng, const SruOptions& options = {});
  Variable project(const Variable& inputs) const override;
  Variable project(const Indices& symbols) const override;
  State begin(const State& initial) const override;
  State step(const Variable& px, const State& state) const override;
  Variable output(const Variable& px, const State& next) const override;
  Coefficients coefficients(const Variable& px, const State& state) const override;
  bool scans() const override { return !weight_c; }

  Parameter weight_ih;  ///< (3H, I), or (4H, I) if I differs from H
  Parameter bias;       ///< (2H,)
  Parameter weight_c;   ///< (2H,) [v_f v_r], only if the gates see the state

 private:
  double alpha_;
  bool projects_input_;
};

using Sru = Recurrent<SruCell>;

}  // namespace hindsight::nn
