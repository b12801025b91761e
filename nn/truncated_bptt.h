#pragma once
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct TruncatedBpttOptions {
  Size window = 0;  ///< k2: steps that gradients reach back
  Size stride = 0;  ///< k1: steps from one reverse sweep to the next
};

/// Truncated backpropagation through time (Williams & Peng 1990, doi 10.1162/neco.1990.2.4.490)
/// over a stream of B sequences that is read in chunks of `stride` steps: the state is carried from
/// chunk to chunk, and the gradient of a chunk's loss reaches back over `window` steps.
///
///   nn::TruncatedBptt bptt(network, {.window = 50, .stride = 50});
///   for (const Indices& chunk : chunks) {
///     Tape tape;
///     tape.backward(loss(readout(bptt(chunk)), ...));
///     optimizer.step();
///   }
///
/// window = stride is the form that most programs use: each step is computed once. With window >
/// stride, the last window - stride steps are computed again, from the inputs and the state that
/// they had, with the parameters of now; stride = 1 is the textbook form, BPTT(h), the others are
/// BPTT(h; h'). window = stride = T is full backpropagation through time.
class TruncatedBptt {
 public:
  /// OptionError unless 1 <= stride <= window, or if the network is bidirectional or reverse. The
  /// network must outlive this object.
  TruncatedBptt(Unroller& network, const TruncatedBpttOptions& options);

  /// The outputs (k, B, O) of the next k <= stride steps, (B, k, O) if batch_first. Inputs that an
  /// earlier chunk brought are constants. ShapeError for more steps than `stride`, or another batch
  /// than before.
  Variable operator()(const Variable& inputs);
  Variable operator()(const Indices& symbols);

  /// The state after the last step, as constants; empty at the start of a stream.
  const States& states() const { return end_; }
  /// Starts another stream, from these states, or from the network's initial ones.
  void reset(const States& states = {});

 private:
  template <class Inputs>
  Variable next(const Inputs& chunk, Inputs* history);

  Unroller& network_;
  TruncatedBpttOptions options_;
  Variable vectors_;  // the last window - stride steps of inputs, or
  Indices symbols_;
  States start_, end_;  // before the kept steps, and after them
};

}  // namespace hindsight::nn
