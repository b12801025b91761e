#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

enum class Nonlinearity { tanh, relu };

struct RnnOptions {
  Nonlinearity nonlinearity = Nonlinearity::tanh;
  bool bias = true;
};

/// Simple recurrent network (Elman 1990) with PyTorch's parameter names.
/// px: (B, H), state {h}: (B, H) -> the same.
///   h' = tanh(px + h W_hh^T + b_ih + b_hh), or relu instead of tanh
class RnnCell : public GatedCell {
 public:
  RnnCell(Size input, Size hidden, Rng& rng, const RnnOptions& options = {});
  State begin(const State& initial) const override { return with_bias(initial); }
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_}; }

 private:
  Size hidden_;
  Nonlinearity nonlinearity_;
};

using Rnn = Recurrent<RnnCell>;

}  // namespace hindsight::nn
