#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct GruOptions {
  bool bias = true;
  /// Where the reset gate applies: to the recurrent product (PyTorch, Keras, cuDNN), or to the
  /// state before the product (Cho et al. 2014).
  bool reset_after = true;
};

/// Gated recurrent unit (Cho et al. 2014), with PyTorch's parameter names and gate order r, z, n.
/// state {h}: (B, H) -> the same.
///   px = x W_ih^T + b_ih, plus b_hh for r and z    (B, 3H)
///   r = sigmoid(px_r + h W_hr^T)    z = sigmoid(px_z + h W_hz^T)
///   n = tanh(px_n + r (h W_hn^T + b_hn)), or tanh(px_n + (r h) W_hn^T + b_hn) if reset before
///   h' = (1 - z) n + z h
class GruCell : public GatedCell {
 public:
  GruCell(Size input, Size hidden, Rng& rng, const GruOptions& options = {});
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_}; }
  bool reset_after() const { return reset_after_; }

 protected:
  Variable projected_bias() const override;

 private:
  Variable step_after(const Variable& px, const State& state) const;
  Variable step_before(const Variable& px, const State& state) const;

  Size hidden_;
  bool reset_after_;
};

using Gru = Recurrent<GruCell>;

}  // namespace hindsight::nn
