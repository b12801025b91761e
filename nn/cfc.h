#pragma once
#include <hindsight/nn/cell.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct CfcOptions {
  Size units = 128;  ///< U, width of the backbone
  /// The last column of the input is the time since the step before, instead of 1 at every step. A
  /// layer above has no such column: Stack takes it with other options.
  bool elapsed = false;
};

/// Closed-form continuous-time network (Hasani et al. 2022, arXiv 2106.13898): the state moves from
/// one target towards another with the time since the step before.
/// state {h}: (B, H) -> the same.
///   px = x W_ih^T + b_ih    (B, U), followed by dt (B, 1) if elapsed, which is then no part of x
///   z = 1.7159 tanh(0.666 (px + h W_hh^T))    [f g a b] = z W_zh^T + b_zh    (B, 4H)
///   tau = sigmoid(a dt + b)    h' = (1 - tau) tanh(f) + tau tanh(g)
/// Parameters weight_ih: (U, I or I - 1), weight_hh: (U, H) and weight_zh: (4H, U), uniform with
/// the bounds of Glorot & Bengio 2010 for the map of [x, h] to z and for each of f, g, a, b;
/// bias_ih: (U,) and bias_zh: (4H,), uniform within 1 / sqrt(inputs of their sum). OptionError for
/// units below 1, or if elapsed and the input has no other column.
class CfcCell : public Cell {
 public:
  CfcCell(Size input, Size hidden, Rng& rng, const CfcOptions& options = {});
  Variable project(const Variable& inputs) const override;
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_}; }

  Parameter weight_ih, weight_hh, bias_ih, weight_zh, bias_zh;

 private:
  Size hidden_, units_;
  bool elapsed_;
};

using Cfc = Recurrent<CfcCell>;

}  // namespace hindsight::nn
