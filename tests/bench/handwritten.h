#pragma once
#include "contestants.h"
#include "lanes.h"

/// The yardstick: one training step of a one-layer LSTM or tanh RNN, without any autodiff.
namespace hindsight::bench {

/// A training step by hand, in float or (for the gradient check) double. All memory is allocated by
/// the constructor.
///
/// Letters: T time, B batch, I input, H hidden, V = I classes, G gates (4 or 1). Buffers:
///   - xh (T + 1, B, I + H): row t holds x_t beside h_{t-1}, so that one product gives all
///     preactivations of a step, and one over the sequence both weight gradients
///   - weights_t (I + H, G H): transpose of [weight_ih weight_hh] for the forward products, which
///     are fastest with an untransposed right side
///   - z (T, B, G H): preactivations, then gates, then in the reverse sweep their gradients
///   - dh (T, B, H): gradient of h, first from the readout, then also from the next step
template <class T>
class Handwritten {
 public:
  using Buffer = std::vector<T, xsimd::aligned_allocator<T, 64>>;

  explicit Handwritten(const Problem& problem);

  /// Forward, backward, clip, SGD; returns the loss before the update.
  double step();
  /// Forward alone.
  double loss();
  /// Forward and backward; `gradients` then holds the gradients before clipping.
  double backward();
  std::map<std::string, std::vector<T>> gradients() const;

  /// A parameter in PyTorch's layout. After writing to it call refresh().
  Buffer& parameter(const std::string& name) { return parameters_.at(name); }
  /// Recomputes the transposed copies from the parameters.
  void refresh();

 private:
  void forward();
  double cross_entropy();  ///< also turns the logits into their gradient
  void backward_readout();
  void backward_in_time();
  void update();

  T* h(Size t) { return xh_.data() + (t + 1) * B_ * (I_ + H_) + I_; }  ///< h_t, t from -1

  const Size T_, B_, I_, H_, G_;
  const bool by_class_;     ///< logits are stored (V, T B): no idle lanes where V is small
  const bool whole_input_;  ///< x W over the whole sequence in one product, h W added per step
  const T rate_, clip_;
  const std::vector<T> x_;
  const std::vector<std::int64_t> targets_;
  std::map<std::string, Buffer> parameters_;
  Buffer &weight_ih_, &weight_hh_, &bias_ih_, &bias_hh_, &readout_, &readout_bias_;
  const Size z_stride_;  ///< from row to row of z and weights_t
  Buffer weights_t_, readout_t_, bias_;
  Buffer xh_, z_, c_, tanh_c_, dh_, dc_, logits_, log_sum_;
  Buffer weights_t_gradient_, bias_gradient_, readout_gradient_, readout_bias_gradient_;
};

}  // namespace hindsight::bench
