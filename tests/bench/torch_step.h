#pragma once
#include <cstdint>

/// The training step in libtorch, behind a C interface without torch's types, so that its library
/// can be opened separately and torch's oneDNN and OpenMP do not mix with ours.
extern "C" {

struct HindsightTorchProblem {
  int lstm;  ///< 1: LSTM, 0: RNN with tanh
  std::int64_t T, B, I, H;
  const float* x;               ///< (T, B, I)
  const std::int64_t* targets;  ///< (T, B)
  const float *weight_ih, *weight_hh, *bias_ih, *bias_hh, *readout_weight, *readout_bias;
  double learning_rate, clip_norm;
  int threads;
};

/// Copies what it needs; null when torch throws.
void* hindsight_torch_make(const HindsightTorchProblem* problem);
/// One step: zero_grad, forward, cross-entropy, backward, clip_grad_norm_, SGD. Returns the loss.
double hindsight_torch_step(void* network);
void hindsight_torch_destroy(void* network);
}
