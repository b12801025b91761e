#include "handwritten_gru.h"

#include "handwritten_gru_loops.h"
#include "handwritten_loops.h"

namespace hindsight::bench {
namespace {

// Enough rows for a product at full speed, few enough that the steps find its result in the cache.
constexpr Size kBlockRows = 512;

}  // namespace

template <class T>
HandwrittenGru<T>::HandwrittenGru(const Problem& p)
    : Base(p),
      block_(std::max<Size>(1, kBlockRows / p.B)),
      weight_ih_(Base::parameter("weight_ih_l0")),
      weight_hh_(Base::parameter("weight_hh_l0")),
      bias_ih_(Base::parameter("bias_ih_l0")),
      bias_hh_(Base::parameter("bias_hh_l0")),
      a_stride_(Base::padded(4 * H_)),
      weight_stride_(Base::padded(3 * H_)),
      weight_ih_t_(Base::buffer(I_ * weight_stride_)),
      weight_hh_t_(Base::buffer(H_ * weight_stride_)),
      bias_(Base::buffer(4 * H_)),
      h_(Base::buffer((T_ + 1) * B_ * H_)),
      a_(Base::buffer(T_ * B_ * a_stride_)),
      weight_ih_t_gradient_(Base::buffer(I_ * weight_stride_)),
      weight_hh_t_gradient_(Base::buffer(H_ * weight_stride_)),
      bias_gradient_(Base::buffer(4 * H_)) {
  Base::refresh();
}

template <class T>
void HandwrittenGru<T>::refresh_network() {
  const Size stride = weight_stride_;
  blas::transpose(weight_ih_.data(), 2 * H_, I_, weight_ih_t_.data() + H_, stride);
  blas::transpose(weight_ih_.data() + 2 * H_ * I_, H_, I_, weight_ih_t_.data(), stride);
  blas::transpose(weight_hh_.data(), 3 * H_, H_, weight_hh_t_.data(), stride);
}

template <class T>
void HandwrittenGru<T>::forward() {
  T* const bias = bias_.data();
  std::copy_n(bias_ih_.data() + 2 * H_, H_, bias);
  for (Size j = 0; j < 2 * H_; ++j) bias[H_ + j] = bias_ih_.data()[j] + bias_hh_.data()[j];
  std::copy_n(bias_hh_.data() + 2 * H_, H_, bias + 3 * H_);
  for (Size t = 0; t < T_; ++t) {
    T* const a = a_.data() + t * B_ * a_stride_;
    T* const h_before = h_.data() + t * B_ * H_;
    if (t % block_ == 0) {
      const Size rows = std::min(block_, T_ - t) * B_;
      blas::multiply(Base::matrix(x_.data() + t * B_ * I_, rows, I_, I_),
                     Base::matrix(weight_ih_t_.data(), I_, 3 * H_, weight_stride_), T(0),
                     Base::result(a, rows, 3 * H_, a_stride_));
    }
    for (Size b = 0; b < B_; ++b) std::copy_n(bias + 3 * H_, H_, a + b * a_stride_ + 3 * H_);
    blas::multiply(Base::matrix(h_before, B_, H_, H_),
                   Base::matrix(weight_hh_t_.data(), H_, 3 * H_, weight_stride_), T(1),
                   Base::result(a + H_, B_, 3 * H_, a_stride_));
    gru_forward_pass<T>({a, bias, h_before, h_before + B_ * H_, a_stride_}, B_, H_);
  }
}

template <class T>
void HandwrittenGru<T>::backward_in_time() {
  const Size N = T_ * B_, state = B_ * H_;
  std::fill(bias_gradient_.begin(), bias_gradient_.end(), T(0));
  for (Size t = T_ - 1; t >= 0; --t) {
    T *const a = a_.data() + t * B_ * a_stride_, *const dh = dh_.data() + t * state;
    const T* const h_before = h_.data() + t * state;
    gru_backward_pass<T>(
        {a, h_before, dh, t > 0 ? dh - state : nullptr, bias_gradient_.data(), a_stride_}, B_, H_);
    if (t == 0) break;
    blas::multiply(Base::matrix(a + H_, B_, 3 * H_, a_stride_),
                   Base::matrix(weight_hh_.data(), 3 * H_, H_, H_), T(1),
                   Base::result(dh - state, B_, H_, H_));
  }
  blas::multiply(Base::transposed(x_.data(), I_, N, I_),
                 Base::matrix(a_.data(), N, 3 * H_, a_stride_), T(0),
                 Base::result(weight_ih_t_gradient_.data(), I_, 3 * H_, weight_stride_));
  blas::multiply(Base::transposed(h_.data(), H_, N, H_),
                 Base::matrix(a_.data() + H_, N, 3 * H_, a_stride_), T(0),
                 Base::result(weight_hh_t_gradient_.data(), H_, 3 * H_, weight_stride_));
}

template <class T>
double HandwrittenGru<T>::squares() const {
  return squares_of<T>(weight_ih_t_gradient_.data(), I_ * weight_stride_) +
         squares_of<T>(weight_hh_t_gradient_.data(), H_ * weight_stride_) +
         squares_of<T>(bias_gradient_.data(), 4 * H_) +
         squares_of<T>(bias_gradient_.data() + H_, 2 * H_);  // r and z have two biases
}

template <class T>
void HandwrittenGru<T>::descend_network(T rate) {
  const auto both = [&](Buffer& weights_t, const Buffer& gradient, Size column, Size columns,
                        Size rows, T* weights) {
    descend_and_transpose<T>(weights_t.data() + column, gradient.data() + column, weight_stride_,
                             rate, rows, columns, weights);
  };
  both(weight_ih_t_, weight_ih_t_gradient_, H_, 2 * H_, I_, weight_ih_.data());
  both(weight_ih_t_, weight_ih_t_gradient_, 0, H_, I_, weight_ih_.data() + 2 * H_ * I_);
  both(weight_hh_t_, weight_hh_t_gradient_, 0, 3 * H_, H_, weight_hh_.data());
  descend<T>(bias_ih_.data(), bias_gradient_.data() + H_, rate, 2 * H_);
  descend<T>(bias_ih_.data() + 2 * H_, bias_gradient_.data(), rate, H_);
  descend<T>(bias_hh_.data(), bias_gradient_.data() + H_, rate, 3 * H_);
}

template <class T>
std::map<std::string, std::vector<T>> HandwrittenGru<T>::network_gradients() const {
  const auto transposed = [&](const Buffer& gradient, Size first_column, Size rows) {
    std::vector<T> all;
    for (Size n = 0; n < 3 * H_; ++n) {
      const Size column = (first_column + n) % (3 * H_);
      for (Size k = 0; k < rows; ++k) all.push_back(gradient.data()[k * weight_stride_ + column]);
    }
    return all;
  };
  const T* const bias = bias_gradient_.data();
  std::map<std::string, std::vector<T>> all;
  all["weight_ih_l0"] = transposed(weight_ih_t_gradient_, H_, I_);
  all["weight_hh_l0"] = transposed(weight_hh_t_gradient_, 0, H_);
  all["bias_ih_l0"].assign(bias + H_, bias + 3 * H_);
  all["bias_ih_l0"].insert(all["bias_ih_l0"].end(), bias, bias + H_);
  all["bias_hh_l0"].assign(bias + H_, bias + 4 * H_);
  return all;
}

template class HandwrittenGru<float>;
template class HandwrittenGru<double>;

}  // namespace hindsight::bench
