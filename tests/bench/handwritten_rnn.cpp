#include "handwritten_rnn.h"

#include "handwritten_loops.h"

namespace hindsight::bench {
namespace {

constexpr Size kByStepFrom = 8;  // with fewer rows a product streams the weights from the cache

}  // namespace

template <class T>
HandwrittenRnn<T>::HandwrittenRnn(const Problem& p)
    : Base(p),
      G_(gates_of(p.model)),
      whole_input_(p.B < kByStepFrom),
      weight_ih_(Base::parameter("weight_ih_l0")),
      weight_hh_(Base::parameter("weight_hh_l0")),
      bias_ih_(Base::parameter("bias_ih_l0")),
      bias_hh_(Base::parameter("bias_hh_l0")),
      z_stride_(Base::padded(G_ * H_)),
      weights_t_(Base::buffer((I_ + H_) * z_stride_)),
      bias_(Base::buffer(G_ * H_)),
      xh_(Base::buffer((T_ + 1) * B_ * (I_ + H_))),
      z_(Base::buffer(T_ * B_ * z_stride_)),
      c_(Base::buffer((T_ + 1) * B_ * H_)),
      tanh_c_(Base::buffer(T_ * B_ * H_)),
      dc_(Base::buffer(B_ * H_)),
      weights_t_gradient_(Base::buffer((I_ + H_) * z_stride_)),
      bias_gradient_(Base::buffer(G_ * H_)) {
  Base::refresh();
}

template <class T>
void HandwrittenRnn<T>::refresh_network() {
  const Size gates = G_ * H_;
  blas::transpose(weight_ih_.data(), gates, I_, weights_t_.data(), z_stride_);
  blas::transpose(weight_hh_.data(), gates, H_, weights_t_.data() + I_ * z_stride_, z_stride_);
}

template <class T>
void HandwrittenRnn<T>::forward() {
  const Size width = I_ + H_, gates = G_ * H_, stride = z_stride_;
  for (Size j = 0; j < gates; ++j) bias_.data()[j] = bias_ih_.data()[j] + bias_hh_.data()[j];
  for (Size row = 0; row < T_ * B_; ++row) {
    std::copy_n(x_.data() + row * I_, I_, xh_.data() + row * width);
  }
  if (whole_input_) {
    blas::multiply(Base::matrix(xh_.data(), T_ * B_, I_, width),
                   Base::matrix(weights_t_.data(), I_, gates, stride), T(0),
                   Base::result(z_.data(), T_ * B_, gates, stride));
  }
  for (Size t = 0; t < T_; ++t) {
    T* z = z_.data() + t * B_ * stride;
    if (whole_input_) {
      blas::multiply(Base::matrix(h(t - 1), B_, H_, width),
                     Base::matrix(weights_t_.data() + I_ * stride, H_, gates, stride), T(1),
                     Base::result(z, B_, gates, stride));
    } else {
      blas::multiply(Base::matrix(xh_.data() + t * B_ * width, B_, width, width),
                     Base::matrix(weights_t_.data(), width, gates, stride), T(0),
                     Base::result(z, B_, gates, stride));
    }
    if (G_ == 4) {
      const Size at = t * B_ * H_;
      lstm_forward_pass<T>({z, bias_.data(), c_.data() + at, c_.data() + at + B_ * H_,
                            tanh_c_.data() + at, h(t), stride, width},
                           B_, H_);
    } else {
      rnn_forward_pass<T>(z, stride, bias_.data(), h(t), width, B_, H_);
    }
  }
}

template <class T>
void HandwrittenRnn<T>::backward_in_time() {
  const Size width = I_ + H_, gates = G_ * H_, state = B_ * H_;
  std::fill(dc_.begin(), dc_.end(), T(0));
  std::fill(bias_gradient_.begin(), bias_gradient_.end(), T(0));
  T* const dz = G_ == 4 ? z_.data() : dh_.data();  // the RNN's dz replaces dh
  const Size stride = G_ == 4 ? z_stride_ : H_;
  for (Size t = T_ - 1; t >= 0; --t) {
    T *const dz_t = dz + t * B_ * stride, *const dh_t = dh_.data() + t * state;
    if (G_ == 4) {
      lstm_backward_pass<T>({dz_t, c_.data() + t * state, tanh_c_.data() + t * state, dh_t,
                             dc_.data(), bias_gradient_.data(), stride},
                            B_, H_);
    } else {
      rnn_backward_pass<T>(h(t), width, dh_t, bias_gradient_.data(), B_, H_);
    }
    if (t == 0) break;
    blas::multiply(Base::matrix(dz_t, B_, gates, stride),
                   Base::matrix(weight_hh_.data(), gates, H_, H_), T(1),
                   Base::result(dh_t - state, B_, H_, H_));
  }
  blas::multiply(Base::transposed(xh_.data(), width, T_ * B_, width),
                 Base::matrix(dz, T_ * B_, gates, stride), T(0),
                 Base::result(weights_t_gradient_.data(), width, gates, z_stride_));
}

template <class T>
double HandwrittenRnn<T>::squares() const {
  return squares_of<T>(weights_t_gradient_.data(), (I_ + H_) * z_stride_) +
         2 * squares_of<T>(bias_gradient_.data(), G_ * H_);  // of bias_ih and bias_hh
}

template <class T>
void HandwrittenRnn<T>::descend_network(T rate) {
  const Size gates = G_ * H_;
  const auto descend_transposed = [&](Size from_row, Size rows, Buffer& weights) {
    descend_and_transpose<T>(weights_t_.data() + from_row * z_stride_,
                             weights_t_gradient_.data() + from_row * z_stride_, z_stride_, rate,
                             rows, gates, weights.data());
  };
  descend_transposed(0, I_, weight_ih_);
  descend_transposed(I_, H_, weight_hh_);
  descend<T>(bias_ih_.data(), bias_gradient_.data(), rate, gates);
  descend<T>(bias_hh_.data(), bias_gradient_.data(), rate, gates);
}

template <class T>
std::map<std::string, std::vector<T>> HandwrittenRnn<T>::network_gradients() const {
  const Size gates = G_ * H_;
  std::map<std::string, std::vector<T>> all;
  for (Size n = 0; n < gates; ++n) {
    for (Size k = 0; k < I_ + H_; ++k) {
      all[k < I_ ? "weight_ih_l0" : "weight_hh_l0"].push_back(
          weights_t_gradient_.data()[k * z_stride_ + n]);
    }
  }
  all["bias_ih_l0"] = all["bias_hh_l0"] =
      std::vector<T>(bias_gradient_.begin(), bias_gradient_.begin() + gates);
  return all;
}

template class HandwrittenRnn<float>;
template class HandwrittenRnn<double>;

}  // namespace hindsight::bench
