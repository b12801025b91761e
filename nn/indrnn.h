#pragma once
#include <hindsight/nn/rnn.h>

namespace hindsight::nn {

struct IndRnnOptions {
  Nonlinearity nonlinearity = Nonlinearity::relu;
};

/// Independently recurrent network (Li et al. 2018, arXiv 1803.04831): each unit reads only its own
/// state, so that it forgets or grows at a rate of its own, which clamp() bounds.
/// state {h}: (B, H) -> the same.
///   px = x W_ih^T + b    (B, H)
///   h' = relu(px + u h), or tanh instead of relu
/// Parameters weight_ih: (H, I), normal with deviation 0.001, weight_hh (u): (H,), ones, and bias:
/// (H,), zeros.
class IndRnnCell : public Cell {
 public:
  IndRnnCell(Size input, Size hidden, Rng& rng, const IndRnnOptions& options = {});
  Variable project(const Variable& inputs) const override;
  Variable project(const Indices& symbols) const override;
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_}; }

  /// Limits u to [-2^(1/longest), 2^(1/longest)], to be called after each update of the parameters.
  /// In `longest` time steps, the longest dependency to be learned, a state of relu units at most
  /// doubles. OptionError for longest below 1.
  void clamp(Size longest) const;

  Parameter weight_ih, weight_hh, bias;

 private:
  Size hidden_;
  Nonlinearity nonlinearity_;
};

using IndRnn = Recurrent<IndRnnCell>;

}  // namespace hindsight::nn
