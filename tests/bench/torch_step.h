#pragma once
#include <cstdint>

/// The training step in libtorch, behind a C interface without torch's types, so that its library
/// can be opened separately and torch's oneDNN and OpenMP do not mix with ours.
extern "C" {

struct HindsightTorchProblem {
  const char* model;  ///< lstm, rnn, gru or bilstm
  std::int64_t T, B, I, H;
  const float* x;                  ///< (T, B, I)
  const std::int64_t* targets;     ///< (T, B)
  const float* const* parameters;  ///< of the network in torch's order, then of the readout
  std::int64_t parameter_count;
  double learning_rate, clip_norm;
  int threads;
};

/// Copies what it needs; null when torch throws.
void* hindsight_torch_make(const HindsightTorchProblem* problem);
/// One step: zero_grad, forward, cross-entropy, backward, clip_grad_norm_, SGD. Returns the loss.
double hindsight_torch_step(void* network);
/// Network and readout over the whole sequence without gradients. Returns the sum of the outputs.
double hindsight_torch_inference(void* network);
void hindsight_torch_destroy(void* network);
}
