#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct ConvLstmOptions {
  Size length = 0;  ///< L, positions in a row; must be given, and divide the input and hidden sizes
  Size kernel = 3;  ///< K, neighbouring positions that a position reads
  bool bias = true;
};

/// Convolutional LSTM over rows of L positions (Shi et al. 2015, arXiv 1506.04214, without
/// peepholes, as in Keras): the products of an LSTM are correlations with K weights along the row,
/// which is padded with zeros: (K - 1) / 2, rounded down, before it, and the rest of K - 1 after
/// it. Rows are laid out position by position: input (B, L C) with C channels, state {h, c}: (B, L
/// F) each -> the same, with F = H / L filters.
///   px_l = sum_k x_(l + k - (K - 1) / 2) W_ih,k^T + b_ih + b_hh    (B, L, 4F)
///   [i f g o]_l = px_l + sum_k h_(l + k - (K - 1) / 2) W_hh,k^T
///   c' = sigmoid(f) c + sigmoid(i) tanh(g)    h' = sigmoid(o) tanh(c')
/// Parameters weight_ih: (4F, K C) and weight_hh: (4F, K F), whose columns are ordered by k, then
/// by channel, bias_ih and bias_hh: (4F,), all uniform in [-1/sqrt(K F), 1/sqrt(K F)). In both
/// directions, outputs have to be merged by sum, mean or product for a layer above: Merge::concat
/// does not join them position by position. OptionError when L does not divide the sizes, or for a
/// kernel below 1.
class ConvLstmCell : public GatedCell {
 public:
  ConvLstmCell(Size input, Size hidden, Rng& rng, const ConvLstmOptions& options);
  using GatedCell::project;
  Variable project(const Variable& inputs) const override;
  Variable project(const Indices& symbols) const override { return Cell::project(symbols); }
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_, hidden_}; }

 private:
  static Sizes sizes(Size input, Size hidden, const ConvLstmOptions& options);
  Variable neighbours(const Variable& rows) const;

  Size hidden_, length_, kernel_;
};

using ConvLstm = Recurrent<ConvLstmCell>;

}  // namespace hindsight::nn
