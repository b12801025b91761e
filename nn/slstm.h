#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct SlstmOptions {
  /// N, blocks of units between which there are no recurrent weights; must divide H.
  Size heads = 1;
  /// Of the layer in its stack, from 0 for the lowest to 1 for the highest: the initial biases of
  /// the forget gates fall from 5 to -7 within a head, the more steeply at first, the lower it is.
  double position = 0;
};

/// sLSTM (Beck et al. 2024, arXiv 2405.04517): an LSTM with exponential input gates and a
/// normaliser n, computed relative to exp(m) so that no exponential overflows.
/// state {h, c, n, m}: (B, H) each -> the same; zeros at the start.
///   px = x W_ih^T + b_ih + b_hh    (B, 4H)
///   [i f z o] = px + h W_hh^T, where a unit reads only its own head
///   m' = max(log sigmoid(f) + m, i), or i where n = 0
///   c' = sigmoid(f) exp(m - m') c + exp(i - m') tanh(z)
///   n' = sigmoid(f) exp(m - m') n + exp(i - m')    h' = sigmoid(o) c' / n'
/// h' does not depend on m'. weight_hh: (4H, H / N), zeros at first, has for each gate and unit the
/// weights of the units of its head. OptionError when heads do not divide H and for a position
/// outside of [0, 1].
class SlstmCell : public GatedCell {
 public:
  SlstmCell(Size input, Size hidden, Rng& rng, const SlstmOptions& options = {});
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_, hidden_, hidden_, hidden_}; }

 private:
  Variable recurrent_product(const Variable& h) const;

  Size hidden_, heads_;
};

using Slstm = Recurrent<SlstmCell>;

}  // namespace hindsight::nn
