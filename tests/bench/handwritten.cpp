#include "handwritten.h"

#include <hindsight/autograd/tensor/blas.h>

#include <memory>

#include "handwritten_loops.h"

namespace hindsight::bench {
namespace {

constexpr Size kPadding = 64;    // loads may read past a row's end, but not past the buffer's
constexpr Size kRowsFrom = 32;   // with fewer classes (two vectors) logits are stored by class
constexpr Size kByStepFrom = 8;  // with fewer rows a product streams the weights from the cache

template <class T>
typename Handwritten<T>::Buffer buffer(Size size) {
  return typename Handwritten<T>::Buffer(static_cast<std::size_t>(size + kPadding), T(0));
}

template <class T>
std::map<std::string, typename Handwritten<T>::Buffer> convert(const Problem& problem) {
  std::map<std::string, typename Handwritten<T>::Buffer> converted;
  for (const auto& [name, values] : problem.parameters) {
    auto& to = converted[name] = buffer<T>(static_cast<Size>(values.size()));
    std::copy(values.begin(), values.end(), to.begin());
  }
  return converted;
}

template <class T>
blas::MatrixOf<const T> matrix(const T* data, Size rows, Size columns, Size stride) {
  return {data, rows, columns, stride, false};
}

/// The transpose of a stored (columns, rows) matrix.
template <class T>
blas::MatrixOf<const T> transposed(const T* data, Size rows, Size columns, Size stride) {
  return {data, rows, columns, stride, true};
}

template <class T>
blas::MatrixOf<T> result(T* data, Size rows, Size columns, Size stride) {
  return {data, rows, columns, stride, false};
}

/// Distance between rows of so many elements: rows a multiple of 4096 bytes apart compete for the
/// same cache sets, which slows the products by 4 %.
template <class T>
Size padded(Size columns) {
  constexpr Size kElements = 4096 / sizeof(T);
  return columns % kElements == 0 ? columns + Size(64 / sizeof(T)) : columns;
}

}  // namespace

template <class T>
Handwritten<T>::Handwritten(const Problem& p)
    : T_(p.T),
      B_(p.B),
      I_(p.I),
      H_(p.H),
      G_(p.gates()),
      by_class_(p.I < kRowsFrom),
      whole_input_(p.B < kByStepFrom),
      rate_(static_cast<T>(p.learning_rate)),
      clip_(static_cast<T>(p.clip_norm)),
      x_(p.x.begin(), p.x.end()),
      targets_(p.targets),
      parameters_(convert<T>(p)),
      weight_ih_(parameters_.at("weight_ih")),
      weight_hh_(parameters_.at("weight_hh")),
      bias_ih_(parameters_.at("bias_ih")),
      bias_hh_(parameters_.at("bias_hh")),
      readout_(parameters_.at("readout.weight")),
      readout_bias_(parameters_.at("readout.bias")),
      z_stride_(padded<T>(G_ * H_)),
      weights_t_(buffer<T>((I_ + H_) * z_stride_)),
      readout_t_(buffer<T>(H_ * I_)),
      bias_(buffer<T>(G_ * H_)),
      xh_(buffer<T>((T_ + 1) * B_ * (I_ + H_))),
      z_(buffer<T>(T_ * B_ * z_stride_)),
      c_(buffer<T>((T_ + 1) * B_ * H_)),
      tanh_c_(buffer<T>(T_ * B_ * H_)),
      dh_(buffer<T>(T_ * B_ * H_)),
      dc_(buffer<T>(B_ * H_)),
      logits_(buffer<T>(T_ * B_ * I_)),
      log_sum_(buffer<T>(T_ * B_)),
      weights_t_gradient_(buffer<T>((I_ + H_) * z_stride_)),
      bias_gradient_(buffer<T>(G_ * H_)),
      readout_gradient_(buffer<T>(I_ * H_)),
      readout_bias_gradient_(buffer<T>(I_)) {
  refresh();
}

template <class T>
void Handwritten<T>::refresh() {
  const Size gates = G_ * H_;
  for (Size n = 0; n < gates; ++n) {
    for (Size k = 0; k < I_; ++k)
      weights_t_.data()[k * z_stride_ + n] = weight_ih_.data()[n * I_ + k];
    for (Size k = 0; k < H_; ++k)
      weights_t_.data()[(I_ + k) * z_stride_ + n] = weight_hh_.data()[n * H_ + k];
  }
  blas::transpose(readout_.data(), I_, H_, readout_t_.data(), I_);
}

template <class T>
double Handwritten<T>::step() {
  const double value = backward();
  update();
  return value;
}

template <class T>
double Handwritten<T>::loss() {
  forward();
  return cross_entropy();
}

template <class T>
double Handwritten<T>::backward() {
  const double value = loss();
  backward_readout();
  backward_in_time();
  return value;
}

template <class T>
void Handwritten<T>::forward() {
  const Size width = I_ + H_, gates = G_ * H_, stride = z_stride_;
  for (Size j = 0; j < gates; ++j) bias_.data()[j] = bias_ih_.data()[j] + bias_hh_.data()[j];
  for (Size row = 0; row < T_ * B_; ++row) {
    std::copy_n(x_.data() + row * I_, I_, xh_.data() + row * width);
  }
  if (whole_input_) {
    blas::multiply(matrix<T>(xh_.data(), T_ * B_, I_, width),
                   matrix<T>(weights_t_.data(), I_, gates, stride), T(0),
                   result(z_.data(), T_ * B_, gates, stride));
  }
  for (Size t = 0; t < T_; ++t) {
    T* z = z_.data() + t * B_ * stride;
    if (whole_input_) {
      blas::multiply(matrix<T>(h(t - 1), B_, H_, width),
                     matrix<T>(weights_t_.data() + I_ * stride, H_, gates, stride), T(1),
                     result(z, B_, gates, stride));
    } else {
      blas::multiply(matrix<T>(xh_.data() + t * B_ * width, B_, width, width),
                     matrix<T>(weights_t_.data(), width, gates, stride), T(0),
                     result(z, B_, gates, stride));
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
double Handwritten<T>::cross_entropy() {
  const Size N = T_ * B_, width = I_ + H_;
  const T weight = T(1) / static_cast<T>(N);
  double sum = 0;
  std::fill(readout_bias_gradient_.begin(), readout_bias_gradient_.end(), T(0));
  if (by_class_) {
    for (Size v = 0; v < I_; ++v) std::fill_n(logits_.data() + v * N, N, readout_bias_.data()[v]);
    blas::multiply(matrix<T>(readout_.data(), I_, H_, H_), transposed<T>(h(0), H_, N, width), T(1),
                   result(logits_.data(), I_, N, N));
    for (Size n = 0; n < N; ++n)
      sum -= static_cast<double>(logits_.data()[targets_.data()[n] * N + n]);
    softmax_columns<T>(logits_.data(), weight, log_sum_.data(), I_, N);
    sum += static_cast<double>(sum_of<T>(log_sum_.data(), N));
    for (Size n = 0; n < N; ++n) logits_.data()[targets_.data()[n] * N + n] -= weight;
    for (Size v = 0; v < I_; ++v)
      readout_bias_gradient_.data()[v] = sum_of<T>(logits_.data() + v * N, N);
    return sum / static_cast<double>(N);
  }
  blas::multiply(matrix<T>(h(0), N, H_, width), matrix<T>(readout_t_.data(), H_, I_, I_), T(0),
                 result(logits_.data(), N, I_, I_));
  for (Size n = 0; n < N; ++n) {
    T* row = logits_.data() + n * I_;
    const Size target = targets_.data()[n];
    const T chosen = row[target] + readout_bias_.data()[target];
    sum += static_cast<double>(
        softmax_row<T>(row, readout_bias_.data(), weight, readout_bias_gradient_.data(), I_) -
        chosen);
    row[target] -= weight;
    readout_bias_gradient_.data()[target] -= weight;
  }
  return sum / static_cast<double>(N);
}

template <class T>
void Handwritten<T>::backward_readout() {
  const Size N = T_ * B_, width = I_ + H_;
  const auto dlogits =
      by_class_ ? transposed<T>(logits_.data(), N, I_, N) : matrix<T>(logits_.data(), N, I_, I_);
  blas::multiply(dlogits, matrix<T>(readout_.data(), I_, H_, H_), T(0),
                 result(dh_.data(), N, H_, H_));
  if (by_class_) {
    blas::multiply(matrix<T>(logits_.data(), I_, N, N), matrix<T>(h(0), N, H_, width), T(0),
                   result(readout_gradient_.data(), I_, H_, H_));
  } else {  // computed transposed, so that one pass updates both copies
    blas::multiply(transposed<T>(h(0), H_, N, width), matrix<T>(logits_.data(), N, I_, I_), T(0),
                   result(readout_gradient_.data(), H_, I_, I_));
  }
}

template <class T>
void Handwritten<T>::backward_in_time() {
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
    blas::multiply(matrix<T>(dz_t, B_, gates, stride), matrix<T>(weight_hh_.data(), gates, H_, H_),
                   T(1), result(dh_t - state, B_, H_, H_));
  }
  blas::multiply(transposed<T>(xh_.data(), width, T_ * B_, width),
                 matrix<T>(dz, T_ * B_, gates, stride), T(0),
                 result(weights_t_gradient_.data(), width, gates, z_stride_));
}

template <class T>
void Handwritten<T>::update() {
  const Size gates = G_ * H_;
  const double squares =
      squares_of<T>(weights_t_gradient_.data(), (I_ + H_) * z_stride_) +
      2 * squares_of<T>(bias_gradient_.data(), gates) +  // of bias_ih and bias_hh
      squares_of<T>(readout_gradient_.data(), I_ * H_) +
      squares_of<T>(readout_bias_gradient_.data(), I_);
  const double norm = std::sqrt(squares);
  const T rate = rate_ * static_cast<T>(std::min(1.0, static_cast<double>(clip_) / (norm + 1e-6)));
  const auto descend_transposed = [&](Size from_row, Size rows, Buffer& weights) {
    descend_and_transpose<T>(weights_t_.data() + from_row * z_stride_,
                             weights_t_gradient_.data() + from_row * z_stride_, z_stride_, rate,
                             rows, gates, weights.data());
  };
  descend_transposed(0, I_, weight_ih_);
  descend_transposed(I_, H_, weight_hh_);
  descend<T>(bias_ih_.data(), bias_gradient_.data(), rate, gates);
  descend<T>(bias_hh_.data(), bias_gradient_.data(), rate, gates);
  if (by_class_) {
    descend<T>(readout_.data(), readout_gradient_.data(), rate, I_ * H_);
  } else {
    descend_and_transpose<T>(readout_t_.data(), readout_gradient_.data(), I_, rate, H_, I_,
                             readout_.data());
  }
  descend<T>(readout_bias_.data(), readout_bias_gradient_.data(), rate, I_);
}

template <class T>
std::map<std::string, std::vector<T>> Handwritten<T>::gradients() const {
  const auto copy = [](const Buffer& from, Size size) {
    return std::vector<T>(from.begin(), from.begin() + size);
  };
  const Size gates = G_ * H_;
  std::map<std::string, std::vector<T>> all;
  for (Size n = 0; n < gates; ++n) {
    for (Size k = 0; k < I_ + H_; ++k) {
      all[k < I_ ? "weight_ih" : "weight_hh"].push_back(
          weights_t_gradient_.data()[k * z_stride_ + n]);
    }
  }
  all["bias_ih"] = all["bias_hh"] = copy(bias_gradient_, gates);
  all["readout.weight"] = copy(readout_gradient_, I_ * H_);
  if (!by_class_) {
    blas::transpose(readout_gradient_.data(), H_, I_, all["readout.weight"].data(), H_);
  }
  all["readout.bias"] = copy(readout_bias_gradient_, I_);
  return all;
}

template class Handwritten<float>;
template class Handwritten<double>;

Contestant handwritten_step(const Problem& problem) {
  auto network = std::make_shared<Handwritten<float>>(problem);
  return {"hand-written", [network] { return network->step(); }};
}

}  // namespace hindsight::bench
