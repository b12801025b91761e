#pragma once
#include <hindsight/autograd/tensor/blas.h>

#include <memory>

#include "contestants.h"
#include "lanes.h"

/// The yardstick: one training step of a one-layer network, without any autodiff.
namespace hindsight::bench {

/// A training step by hand, in float or (for the gradient check) double. All memory is allocated by
/// the constructor. A derived class has the network, this one the readout and the order of events.
///
/// Letters: T time, B batch, N = T B, I input, H hidden, V = I classes. Buffers:
///   - dh (T, B, H): gradient of h, first from the readout, then also from the next step
///   - logits (N, V) or (V, N): then their gradients
template <class T>
class HandwrittenStep {
 public:
  using Buffer = std::vector<T, xsimd::aligned_allocator<T, 64>>;

  virtual ~HandwrittenStep() = default;

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

 protected:
  explicit HandwrittenStep(const Problem& problem);

  static Buffer buffer(Size size);
  static blas::MatrixOf<const T> matrix(const T* data, Size rows, Size columns, Size stride) {
    return {data, rows, columns, stride, false};
  }
  /// The transpose of a stored (columns, rows) matrix.
  static blas::MatrixOf<const T> transposed(const T* data, Size rows, Size columns, Size stride) {
    return {data, rows, columns, stride, true};
  }
  static blas::MatrixOf<T> result(T* data, Size rows, Size columns, Size stride) {
    return {data, rows, columns, stride, false};
  }
  /// Distance between rows of so many elements: rows a multiple of 4096 bytes apart compete for the
  /// same cache sets, which slows the products by 4 %.
  static Size padded(Size columns);

  const Size T_, B_, I_, H_;
  const std::vector<T> x_;
  std::map<std::string, Buffer> parameters_;
  Buffer dh_;

 private:
  virtual void forward() = 0;
  virtual void backward_in_time() = 0;
  /// h_t for t from 0: a step is T B rows.
  virtual const T* states() const = 0;
  virtual Size state_stride() const = 0;
  virtual void refresh_network() = 0;
  virtual double squares() const = 0;  ///< of the network's gradients
  virtual void descend_network(T rate) = 0;
  virtual std::map<std::string, std::vector<T>> network_gradients() const = 0;

  double cross_entropy();  ///< also turns the logits into their gradient
  double cross_entropy_by_class();
  void backward_readout();
  void update();

  const bool by_class_;  ///< logits are stored (V, T B): no idle lanes where V is small
  const T rate_, clip_;
  const std::vector<std::int64_t> targets_;
  Buffer &readout_, &readout_bias_;
  Buffer readout_t_, logits_, log_sum_, readout_gradient_, readout_bias_gradient_;
};

/// The hand-written step of a model; null for one that has none.
template <class T>
std::unique_ptr<HandwrittenStep<T>> handwritten(const Problem& problem);

}  // namespace hindsight::bench
