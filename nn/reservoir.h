#pragma once
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct ReservoirOptions {
  /// Of W: the larger, the longer past inputs have an effect. Below 1, the effect of the initial
  /// state usually vanishes.
  double spectral_radius = 0.9;
  double leak = 1;         ///< a: the part of a unit that is new at each step
  Size links = 10;         ///< incoming links of each unit within the reservoir; at most H are made
  double input_scale = 1;  ///< W_in is uniform in [-input_scale, input_scale)
  double bias_scale = 0;   ///< b is uniform in [-bias_scale, bias_scale)
  /// (H, H): W before it is rescaled, such as a ring, instead of a drawn one.
  Tensor recurrent_weight = {};
};

/// Echo state network (Jaeger 2001) of leaky units with fixed random weights: only what reads its
/// states is trained, for instance by ridge(). The cell has no parameters; its weights follow from
/// the Rng's seed. Gradients propagate through it to inputs and initial states.
/// state {x}: (B, H) -> the same, in the dtype of the inputs.
///   pu = u W_in^T + b    (B, H)
///   x' = (1 - a) x + a tanh(pu + x W^T)
/// OptionError for options out of range or a nilpotent recurrent_weight, whose spectral radius is
/// 0; ShapeError and NonFiniteError for a recurrent_weight of another shape or not finite.
class ReservoirCell : public Cell {
 public:
  ReservoirCell(Size input, Size hidden, Rng& rng, const ReservoirOptions& options = {});
  Variable project(const Variable& inputs) const override;
  State step(const Variable& pu, const State& state) const override;
  Widths state_sizes() const override { return {bias().size(0)}; }

  const Tensor& input_weight() const { return float32_.input; }          ///< W_in: (H, I)
  const Tensor& recurrent_weight() const { return float32_.recurrent; }  ///< W: (H, H)
  const Tensor& bias() const { return float32_.bias; }                   ///< b: (H,)

 private:
  struct Weights {
    Tensor input, recurrent, bias;
  };
  const Weights& weights(DType dtype) const { return dtype == DType::f32 ? float32_ : float64_; }

  double leak_;
  Weights float32_, float64_;  // the same values
};

using Reservoir = Recurrent<ReservoirCell>;

}  // namespace hindsight::nn
