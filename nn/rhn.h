#pragma once
#include <hindsight/nn/cell.h>
#include <hindsight/nn/recurrent.h>

#include <vector>

namespace hindsight::nn {

struct RhnOptions {
  Size depth = 5;  ///< L, highway layers within one time step
  /// Initial bias of the transform gates; below 0, the state is carried over at first.
  double transform_bias = -2;
};

/// Recurrent highway network (Zilly et al. 2017, arXiv 1607.03474), whose carry gate is coupled to
/// the transform gate, c = 1 - t.
/// state {s}: (B, H) -> the same.
///   px = x W_ih^T + b_0    (B, 2H)
///   [h_0 t_0] = px + s_0 W_0^T,    [h_l t_l] = s_l W_l^T + b_l    for l = 1 ... L - 1, with s_0 =
///   s s_(l+1) = s_l + sigmoid(t_l) (tanh(h_l) - s_l)    s' = s_L
/// Parameters weight_ih: (2H, I), weight_hh_d0 ...: (2H, H) and bias_d0 ...: (2H,), uniform in
/// [-0.04, 0.04) except for the transform gates' biases. State::recurrent() is read at depth 0.
/// OptionError for a depth below 1 and a bias that is not finite.
class RhnCell : public Cell {
 public:
  RhnCell(Size input, Size hidden, Rng& rng, const RhnOptions& options = {});
  Variable project(const Variable& inputs) const override;
  Variable project(const Indices& symbols) const override;
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_}; }

  Parameter weight_ih;
  std::vector<Parameter> weight_hh, bias;  ///< of each depth

 private:
  Size hidden_;
};

using Rhn = Recurrent<RhnCell>;

}  // namespace hindsight::nn
