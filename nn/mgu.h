#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct MguOptions {
  bool bias = true;
};

/// Minimal gated unit (Zhou et al. 2016, arXiv 1603.09420): a GRU with one gate, which both resets
/// and updates. Gate order f, n.
/// state {h}: (B, H) -> the same.
///   px = x W_ih^T + b_ih + b_hh    (B, 2H)
///   f = sigmoid(px_f + h W_hf^T)    n = tanh(px_n + (f h) W_hn^T)
///   h' = (1 - f) h + f n
class MguCell : public GatedCell {
 public:
  MguCell(Size input, Size hidden, Rng& rng, const MguOptions& options = {})
      : GatedCell({2, input, hidden, hidden, options.bias}, rng), hidden_(hidden) {}
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_}; }

 private:
  Size hidden_;
};

using Mgu = Recurrent<MguCell>;

}  // namespace hindsight::nn
