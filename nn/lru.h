#pragma once
#include <hindsight/nn/cell.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct LruOptions {
  Size output = 0;              ///< O; 0 for H
  double r_min = 0, r_max = 1;  ///< bounds of the initial |lambda|, uniform on the ring between
  double max_phase = 6.28;      ///< bound of the initial phase of lambda
};

/// Linear recurrent unit (Orvieto et al. 2023, arXiv 2303.06349), with the parameters and initial
/// values of the public code (NicolasZucchet/minimal-LRU). Complex numbers are pairs of real ones.
/// state {Re h, Im h}: (B, H) each -> the same; output: (B, O).
///   lambda = exp(-exp(nu_log) + i exp(theta_log))    gamma = exp(gamma_log)
///   h' = lambda h + gamma (B x)    y = Re(C h') + D x
/// gamma starts at sqrt(1 - |lambda|^2). B = B_re + i B_im: (H, I), C: (O, H), D: (I,) where the
/// output is as wide as the input, as in the paper, else (O, I). The nonlinearity that follows in
/// the paper is left to the network.
class LruCell : public Cell {
 public:
  LruCell(Size input, Size hidden, Rng& rng, const LruOptions& options = {});
  using Cell::project;
  Variable project(const Variable& inputs) const override;
  State begin(const State& initial) const override;
  State step(const Variable& px, const State& state) const override;
  Variable output(const Variable& px, const State& next) const override;
  Widths state_sizes() const override { return {hidden_, hidden_}; }
  Size output_size() const override { return output_; }
  bool scans() const override { return true; }
  State scan(const Variable& px, const State& initial) const override;

  Parameter nu_log, theta_log, gamma_log;  ///< (H,)
  Parameter B_re, B_im, C_re, C_im, D;

 private:
  State scan_block(const Variable& px, const State& initial) const;

  Size hidden_, output_;
};

using Lru = Recurrent<LruCell>;

}  // namespace hindsight::nn
