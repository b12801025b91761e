#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/nonlinearity.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct RnnOptions {
  Nonlinearity nonlinearity = Nonlinearity::tanh;
  bool bias = true;
  /// Other than 0, the initial values of Le, Jaitly & Hinton (2015, arXiv 1504.00941), who use relu
  /// and 1: weight_hh is this times the identity, weight_ih normal with deviation 0.001, biases 0.
  double identity_init = 0;
};

/// Simple recurrent network (Elman 1990) with PyTorch's parameter names.
/// state {h}: (B, H) -> the same.
///   px = x W_ih^T + b_ih + b_hh    (B, H)
///   h' = f(px + h W_hh^T)    f: the nonlinearity
/// OptionError unless identity_init is finite.
class RnnCell : public GatedCell {
 public:
  RnnCell(Size input, Size hidden, Rng& rng, const RnnOptions& options = {});
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_}; }

 private:
  Size hidden_;
  Nonlinearity nonlinearity_;
};

using Rnn = Recurrent<RnnCell>;

}  // namespace hindsight::nn
