#pragma once
#include "handwritten_step.h"

namespace hindsight::bench {

/// A GRU by hand, with the reset gate after the product. Buffers:
///   - a (T, B, 4H): the columns n, r, z, u = h W_hn^T + b_hn, in this order, so that what x W adds
///     to (n, r, z) and what h W adds to (r, z, u) are one product each; then the gates and u; in
///     the reverse sweep their gradients, for which the same holds
///   - weight_ih_t (I, 3H) and weight_hh_t (H, 3H): the transposed weights for the forward
///   products,
///     with the columns in the orders n, r, z and r, z, n
template <class T>
class HandwrittenGru final : public HandwrittenStep<T> {
  using Base = HandwrittenStep<T>;
  using typename Base::Buffer;

 public:
  explicit HandwrittenGru(const Problem& problem);

 private:
  void forward() override;
  void backward_in_time() override;
  const T* states() const override { return h_.data() + B_ * H_; }
  Size state_stride() const override { return H_; }
  void refresh_network() override;
  double squares() const override;
  void descend_network(T rate) override;
  std::map<std::string, std::vector<T>> network_gradients() const override;

  using Base::T_, Base::B_, Base::I_, Base::H_, Base::x_, Base::dh_;
  const Size block_;  ///< time steps whose x W is one product
  Buffer &weight_ih_, &weight_hh_, &bias_ih_, &bias_hh_;
  const Size a_stride_, weight_stride_;  ///< from row to row of a, and of the transposed weights
  Buffer weight_ih_t_, weight_hh_t_, bias_, h_, a_;
  Buffer weight_ih_t_gradient_, weight_hh_t_gradient_;
  Buffer bias_gradient_;  ///< (4H), of n, r, z, u
};

}  // namespace hindsight::bench
