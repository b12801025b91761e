#pragma once
#include <hindsight/nn/linear_cell.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct MinGruOptions {
  bool bias = true;
  /// h~ = g(W_h x) > 0, as in the paper's form for training; if false, h~ = W_h x.
  bool positive = true;
};

/// A linear cell whose gates and candidate are one affine map of the input: px = x W_ih^T + b_ih.
/// weight_ih: (G H, I), bias_ih: (G H,), both uniform in [-1/sqrt(I), 1/sqrt(I)) as in Linear.
class MinGatedCell : public LinearCell {
 public:
  Variable project(const Variable& inputs) const override;
  Variable project(const Indices& symbols) const override;

  Parameter weight_ih, bias_ih;

 protected:
  MinGatedCell(Size gates, Size input, Size hidden, Rng& rng, const MinGruOptions& options);
  /// h~ of its pre-activation, times the gate that writes it.
  Variable written(const Variable& gate, const Variable& px_h) const;

 private:
  bool positive_;
};

/// Gated recurrent unit whose gate and candidate see the input alone (Feng et al. 2024, "Were RNNs
/// all we needed?", arXiv 2410.01201). Rows of weight_ih: z, h.
/// state {h}: (B, H) -> the same.
///   [z~ h~] = x W_ih^T + b_ih    (B, 2H)
///   z = sigmoid(z~)    h' = (1 - z) h + z g(h~)
///   g(x) = x + 0.5 where x >= 0, else sigmoid(x)
/// The scan needs no logarithms: it runs over 1 - z and z g(h~) themselves, in double.
class MinGruCell : public MinGatedCell {
 public:
  MinGruCell(Size input, Size hidden, Rng& rng, const MinGruOptions& options = {})
      : MinGatedCell(2, input, hidden, rng, options) {}
  Coefficients coefficients(const Variable& px, const State& state) const override;
};

/// Long short-term memory whose gates and candidate see the input alone, with the gates scaled to
/// a sum of 1 (Feng et al. 2024, arXiv 2410.01201). Rows of weight_ih: f, i, h.
/// state {h}: (B, H) -> the same.
///   [f~ i~ h~] = x W_ih^T + b_ih    (B, 3H)
///   f = sigmoid(f~)    i = sigmoid(i~)
///   h' = f / (f + i) h + i / (f + i) g(h~), with g as in MinGruCell
class MinLstmCell : public MinGatedCell {
 public:
  MinLstmCell(Size input, Size hidden, Rng& rng, const MinGruOptions& options = {})
      : MinGatedCell(3, input, hidden, rng, options) {}
  Coefficients coefficients(const Variable& px, const State& state) const override;
};

using MinGru = Recurrent<MinGruCell>;
using MinLstm = Recurrent<MinLstmCell>;

}  // namespace hindsight::nn
