#pragma once
#include <hindsight/nn/lstm.h>

namespace hindsight::nn {

struct MultiplicativeLstmOptions {
  bool bias = true;
};

/// Multiplicative LSTM (Krause et al. 2016, arXiv 1609.07959): an LSTM whose gates read m, a
/// recurrent product that the input scales, instead of h.
/// state {h, c}: (B, H) each -> the same.
///   px = [x W_ih^T + b_ih + b_hh,  x W_mx^T]    (B, 5H)
///   m = px_m (h W_mh^T)    [i f g o] = px_gates + m W_hh^T
///   c' = sigmoid(f) c + sigmoid(i) tanh(g)    h' = sigmoid(o) tanh(c')
/// Parameters: those of LstmCell, weight_mx: (H, I) and weight_mh: (H, H), uniform like the others.
class MultiplicativeLstmCell : public LstmCell {
 public:
  MultiplicativeLstmCell(Size input, Size hidden, Rng& rng,
                         const MultiplicativeLstmOptions& options = {});
  Variable project(const Variable& inputs) const override;
  Variable project(const Indices& symbols) const override;
  State step(const Variable& px, const State& state) const override;

  Parameter weight_mx, weight_mh;
};

using MultiplicativeLstm = Recurrent<MultiplicativeLstmCell>;

}  // namespace hindsight::nn
