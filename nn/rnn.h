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
/// state {h}: (B, H) -> the same.
///   px = x W_ih^T + b_ih + b_hh    (B, H)
///   h' = tanh(px + h W_hh^T), or relu instead of tanh
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
