#pragma once
#include "handwritten_step.h"

namespace hindsight::bench {

/// An LSTM or a tanh RNN by hand. G gates (4 or 1). Buffers:
///   - xh (T + 1, B, I + H): row t holds x_t beside h_{t-1}, so that one product gives all
///     preactivations of a step, and one over the sequence both weight gradients
///   - weights_t (I + H, G H): transpose of [weight_ih weight_hh] for the forward products, which
///     are fastest with an untransposed right side
///   - z (T, B, G H): preactivations, then gates, then in the reverse sweep their gradients
template <class T>
class HandwrittenRnn final : public HandwrittenStep<T> {
  using Base = HandwrittenStep<T>;
  using typename Base::Buffer;

 public:
  explicit HandwrittenRnn(const Problem& problem);

 private:
  void forward() override;
  void backward_in_time() override;
  const T* states() const override { return xh_.data() + B_ * (I_ + H_) + I_; }
  Size state_stride() const override { return I_ + H_; }
  void refresh_network() override;
  double squares() const override;
  void descend_network(T rate) override;
  std::map<std::string, std::vector<T>> network_gradients() const override;

  T* h(Size t) { return xh_.data() + (t + 1) * B_ * (I_ + H_) + I_; }  ///< h_t, t from -1

  using Base::T_, Base::B_, Base::I_, Base::H_, Base::x_, Base::dh_;
  const Size G_;
  const bool whole_input_;  ///< x W over the whole sequence in one product, h W added per step
  Buffer &weight_ih_, &weight_hh_, &bias_ih_, &bias_hh_;
  const Size z_stride_;  ///< from row to row of z and weights_t
  Buffer weights_t_, bias_, xh_, z_, c_, tanh_c_, dc_, weights_t_gradient_, bias_gradient_;
};

}  // namespace hindsight::bench
