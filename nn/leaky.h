#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/nonlinearity.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct LeakyOptions {
  double leak = 0.5;  ///< a, in (0, 1]; 1 makes a simple recurrent network
  /// Each unit learns its own a = sigmoid(leak_logit), which starts at `leak`, below 1.
  bool learned_leak = false;
  Nonlinearity nonlinearity = Nonlinearity::tanh;
  bool bias = true;
};

/// Leaky integrator units (Jaeger et al. 2007), with PyTorch's parameter names for simple recurrent
/// networks.
/// state {h}: (B, H) -> the same.
///   px = x W_ih^T + b_ih + b_hh    (B, H)
///   h' = (1 - a) h + a f(px + h W_hh^T)    a: a number or, if learned, (H,); f: the nonlinearity
/// OptionError when the leak is out of range.
class LeakyCell : public GatedCell {
 public:
  LeakyCell(Size input, Size hidden, Rng& rng, const LeakyOptions& options = {});
  State begin(const State& initial) const override;
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_}; }

  Parameter leak_logit;  ///< (H,), only if learned

 private:
  Size hidden_;
  double leak_;
  Nonlinearity nonlinearity_;
};

using Leaky = Recurrent<LeakyCell>;

}  // namespace hindsight::nn
