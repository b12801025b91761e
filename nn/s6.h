#pragma once
#include <hindsight/nn/linear.h>
#include <hindsight/nn/linear_cell.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct S6Options {
  Size states = 16;  ///< N, numbers for each unit
  Size rank = 0;     ///< R, of the map from u to delta; 0 for H / 16, rounded up
  double delta_min = 1e-3, delta_max = 0.1;  ///< bounds of softplus(b), initially log-uniform
};

/// Selective state space cell, the diagonal recurrence in a block of Mamba (Gu & Dao 2023, arXiv
/// 2312.00752), with the parameter names and initial values of the authors' code. The convolution
/// over time before it and the output product after it are left out.
/// state {h}: (B, N H), N rows of H -> the same; output: (B, H).
///   [u~ z] = W_in x    u = silu(u~)    (B, H) each
///   [d B C] = W_x u    (B, R), (B, N), (B, N)    delta = softplus(W_dt d + b)    (B, H)
///   A = -exp(A_log)    h' = exp(delta A) h + B (delta u)    (B, N, H)
///   y = (C h' + D u) silu(z)
class S6Cell : public LinearCell {
 public:
  S6Cell(Size input, Size hidden, Rng& rng, const S6Options& options = {});
  using Cell::project;
  Variable project(const Variable& inputs) const override;
  State begin(const State& initial) const override;
  Variable output(const Variable& px, const State& next) const override;
  Coefficients coefficients(const Variable& px, const State& state) const override;
  Size output_size() const override { return hidden_; }

  Linear in_proj;   ///< (2H, I), rows u~, z, no bias
  Linear x_proj;    ///< (R + 2N, H), no bias
  Linear dt_proj;   ///< (H, R) and (H,)
  Parameter A_log;  ///< (H, N)
  Parameter D;      ///< (H,)

 private:
  struct Sizes {
    Size input, hidden;
  };
  S6Cell(const Sizes& n, Rng& rng, const S6Options& options);

  Size hidden_, states_;
};

using S6 = Recurrent<S6Cell>;

}  // namespace hindsight::nn
