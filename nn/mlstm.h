#pragma once
#include <hindsight/nn/cell.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct MlstmOptions {
  Size heads = 1;  ///< N, must divide H
};

/// mLSTM (Beck et al. 2024, arXiv 2405.04517): a matrix memory C of d x d for each head, d = H / N,
/// which stores values v under keys k, with exponential input gates; computed relative to exp(m) so
/// that no exponential overflows.
/// state {C, n, m}: (B, N d d), (B, N d), (B, N) -> the same; output (B, H).
///   px = [q k v o i f] = x W_ih^T + b_ih    (B, 4H + 2N), where i and f are numbers of a head
///   m' = max(log sigmoid(f) + m, i)
///   C' = sigmoid(f) exp(m - m') C + exp(i - m') k v^T / sqrt(d)
///   n' = sigmoid(f) exp(m - m') n + exp(i - m') k / sqrt(d)
///   y = sigmoid(o) (C'^T q) / max(|n' q|, exp(-m'))
/// y does not depend on m'. Nothing but the memory is recurrent: there are no recurrent weights,
/// and State::recurrent() is not read. weight_ih is uniform in [-1/sqrt(H), 1/sqrt(H)), with zeros
/// for i and f; bias_ih is zero, but normal with deviation 0.1 for i, and for f evenly spaced from
/// 3 to 6. OptionError when heads do not divide H.
class MlstmCell : public Cell {
 public:
  MlstmCell(Size input, Size hidden, Rng& rng, const MlstmOptions& options = {});
  Variable project(const Variable& inputs) const override;
  Variable project(const Indices& symbols) const override;
  State step(const Variable& px, const State& state) const override;
  Variable output(const Variable& px, const State& next) const override;
  Widths state_sizes() const override { return {hidden_ * width_, hidden_, heads_}; }
  Size output_size() const override { return hidden_; }

  Parameter weight_ih, bias_ih;

 private:
  Size hidden_, heads_, width_;
};

using Mlstm = Recurrent<MlstmCell>;

}  // namespace hindsight::nn
