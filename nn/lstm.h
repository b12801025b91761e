#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct LstmOptions {
  bool bias = true;
  /// P: h' becomes (sigmoid(o) tanh(c')) W_hr^T of width P (Sak et al. 2014); 0 for none.
  Size projection = 0;
};

/// Long short-term memory (Hochreiter & Schmidhuber 1997, forget gate of Gers et al. 2000), with
/// PyTorch's parameter names and gate order i, f, g, o.
/// state {h, c}: (B, H) each, or h: (B, P) with a projection -> the same.
///   px = x W_ih^T + b_ih + b_hh    (B, 4H)
///   [i f g o] = px + h W_hh^T
///   c' = sigmoid(f) c + sigmoid(i) tanh(g)    h' = sigmoid(o) tanh(c')
class LstmCell : public GatedCell {
 public:
  LstmCell(Size input, Size hidden, Rng& rng, const LstmOptions& options = {});
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override;

  Parameter weight_hr;  ///< (P, H), only with a projection

 private:
  Size hidden_, output_;
};

using Lstm = Recurrent<LstmCell>;

}  // namespace hindsight::nn
