#include "handwritten_step.h"

#include "handwritten_gru.h"
#include "handwritten_loops.h"
#include "handwritten_rnn.h"

namespace hindsight::bench {
namespace {

constexpr Size kPadding = 64;   // loads may read past a row's end, but not past the buffer's
constexpr Size kRowsFrom = 32;  // with fewer classes (two vectors) logits are stored by class

template <class T>
std::map<std::string, typename HandwrittenStep<T>::Buffer> convert(const Problem& problem) {
  std::map<std::string, typename HandwrittenStep<T>::Buffer> converted;
  for (const auto& [name, values] : problem.parameters) {
    auto& to = converted[name];
    to.resize(values.size() + kPadding);
    std::copy(values.begin(), values.end(), to.begin());
  }
  return converted;
}

}  // namespace

template <class T>
typename HandwrittenStep<T>::Buffer HandwrittenStep<T>::buffer(Size size) {
  return Buffer(static_cast<std::size_t>(size + kPadding), T(0));
}

template <class T>
Size HandwrittenStep<T>::padded(Size columns) {
  constexpr Size kElements = 4096 / sizeof(T);
  return columns % kElements == 0 ? columns + Size(64 / sizeof(T)) : columns;
}

template <class T>
HandwrittenStep<T>::HandwrittenStep(const Problem& p)
    : T_(p.T),
      B_(p.B),
      I_(p.I),
      H_(p.H),
      x_(p.x.begin(), p.x.end()),
      parameters_(convert<T>(p)),
      dh_(buffer(T_ * B_ * H_)),
      by_class_(p.I < kRowsFrom),
      rate_(static_cast<T>(p.learning_rate)),
      clip_(static_cast<T>(p.clip_norm)),
      targets_(p.targets),
      readout_(parameters_.at("readout.weight")),
      readout_bias_(parameters_.at("readout.bias")),
      readout_t_(buffer(H_ * I_)),
      logits_(buffer(T_ * B_ * I_)),
      log_sum_(buffer(T_ * B_)),
      readout_gradient_(buffer(I_ * H_)),
      readout_bias_gradient_(buffer(I_)) {}

template <class T>
void HandwrittenStep<T>::refresh() {
  blas::transpose(readout_.data(), I_, H_, readout_t_.data(), I_);
  refresh_network();
}

template <class T>
double HandwrittenStep<T>::step() {
  const double value = backward();
  update();
  return value;
}

template <class T>
double HandwrittenStep<T>::loss() {
  forward();
  std::fill(readout_bias_gradient_.begin(), readout_bias_gradient_.end(), T(0));
  return by_class_ ? cross_entropy_by_class() : cross_entropy();
}

template <class T>
double HandwrittenStep<T>::backward() {
  const double value = loss();
  backward_readout();
  backward_in_time();
  return value;
}

template <class T>
double HandwrittenStep<T>::cross_entropy_by_class() {
  const Size N = T_ * B_;
  const T weight = T(1) / static_cast<T>(N);
  double sum = 0;
  for (Size v = 0; v < I_; ++v) std::fill_n(logits_.data() + v * N, N, readout_bias_.data()[v]);
  blas::multiply(matrix(readout_.data(), I_, H_, H_), transposed(states(), H_, N, state_stride()),
                 T(1), result(logits_.data(), I_, N, N));
  for (Size n = 0; n < N; ++n)
    sum -= static_cast<double>(logits_.data()[targets_.data()[n] * N + n]);
  softmax_columns<T>(logits_.data(), weight, log_sum_.data(), I_, N);
  sum += static_cast<double>(sum_of<T>(log_sum_.data(), N));
  for (Size n = 0; n < N; ++n) logits_.data()[targets_.data()[n] * N + n] -= weight;
  for (Size v = 0; v < I_; ++v)
    readout_bias_gradient_.data()[v] = sum_of<T>(logits_.data() + v * N, N);
  return sum / static_cast<double>(N);
}

template <class T>
double HandwrittenStep<T>::cross_entropy() {
  const Size N = T_ * B_;
  const T weight = T(1) / static_cast<T>(N);
  double sum = 0;
  blas::multiply(matrix(states(), N, H_, state_stride()), matrix(readout_t_.data(), H_, I_, I_),
                 T(0), result(logits_.data(), N, I_, I_));
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
void HandwrittenStep<T>::backward_readout() {
  const Size N = T_ * B_;
  const auto dlogits =
      by_class_ ? transposed(logits_.data(), N, I_, N) : matrix(logits_.data(), N, I_, I_);
  blas::multiply(dlogits, matrix(readout_.data(), I_, H_, H_), T(0), result(dh_.data(), N, H_, H_));
  if (by_class_) {
    blas::multiply(matrix(logits_.data(), I_, N, N), matrix(states(), N, H_, state_stride()), T(0),
                   result(readout_gradient_.data(), I_, H_, H_));
  } else {  // computed transposed, so that one pass updates both copies
    blas::multiply(transposed(states(), H_, N, state_stride()), matrix(logits_.data(), N, I_, I_),
                   T(0), result(readout_gradient_.data(), H_, I_, I_));
  }
}

template <class T>
void HandwrittenStep<T>::update() {
  const double norm = std::sqrt(squares() + squares_of<T>(readout_gradient_.data(), I_ * H_) +
                                squares_of<T>(readout_bias_gradient_.data(), I_));
  const T rate = rate_ * static_cast<T>(std::min(1.0, static_cast<double>(clip_) / (norm + 1e-6)));
  descend_network(rate);
  if (by_class_) {
    descend<T>(readout_.data(), readout_gradient_.data(), rate, I_ * H_);
  } else {
    descend_and_transpose<T>(readout_t_.data(), readout_gradient_.data(), I_, rate, H_, I_,
                             readout_.data());
  }
  descend<T>(readout_bias_.data(), readout_bias_gradient_.data(), rate, I_);
}

template <class T>
std::map<std::string, std::vector<T>> HandwrittenStep<T>::gradients() const {
  auto all = network_gradients();
  const auto copy = [](const Buffer& from, Size size) {
    return std::vector<T>(from.begin(), from.begin() + size);
  };
  all["readout.weight"] = copy(readout_gradient_, I_ * H_);
  if (!by_class_) {
    blas::transpose(readout_gradient_.data(), H_, I_, all["readout.weight"].data(), H_);
  }
  all["readout.bias"] = copy(readout_bias_gradient_, I_);
  return all;
}

template class HandwrittenStep<float>;
template class HandwrittenStep<double>;

template <class T>
std::unique_ptr<HandwrittenStep<T>> handwritten(const Problem& problem) {
  if (problem.model == "gru") return std::make_unique<HandwrittenGru<T>>(problem);
  if (problem.model == "lstm" || problem.model == "rnn")
    return std::make_unique<HandwrittenRnn<T>>(problem);
  return nullptr;
}

template std::unique_ptr<HandwrittenStep<float>> handwritten(const Problem& problem);
template std::unique_ptr<HandwrittenStep<double>> handwritten(const Problem& problem);

std::optional<Contestant> handwritten_step(const Problem& problem) {
  const std::shared_ptr<HandwrittenStep<float>> network = handwritten<float>(problem);
  if (!network) return std::nullopt;
  return Contestant{"hand-written", [network] { return network->step(); }};
}

}  // namespace hindsight::bench
