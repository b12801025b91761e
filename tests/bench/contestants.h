#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// The contestants of the recurrent bench: training steps that start from the same numbers.
namespace hindsight::bench {

using Size = std::int64_t;

struct Shape {
  Size T, B, I, H;
};

/// One training task: a network with a linear readout to V = I classes at every step. Models:
///   lstm, rnn, gru  one layer; an RNN has tanh, a GRU the reset gate after the product
///   bilstm          two layers of LSTMs in both directions
///   custom          the leaky cell of the README, h' = leak h + (1 - leak) tanh(x W + b + h U)
struct Problem {
  std::string model;
  Size T, B, I, H;                                       ///< time, batch, input, hidden
  std::vector<float> x;                                  ///< (T, B, I), a constant
  std::vector<std::int64_t> targets;                     ///< (T, B), each in [0, I)
  std::map<std::string, std::vector<float>> parameters;  ///< by the names of parameter_shapes
  double learning_rate = 0.01;
  double clip_norm = 1.0;  ///< global 2-norm, over all parameters
};

/// G: 4 for an LSTM (i, f, g, o), 3 for a GRU (r, z, n), else 1.
Size gates_of(const std::string& model);

constexpr double kLeak = 0.2;  ///< of the custom cell

/// Name, rows and columns (1 for a bias) of every parameter. In PyTorch's order, layout and names,
/// for each layer and direction: weight_ih_l0 (G H, I), weight_hh_l0 (G H, H), bias_ih_l0,
/// bias_hh_l0 (G H); of the custom cell: w_l0 (I, H), u_l0 (H, H), b_l0 (H); then readout.weight
/// (I, H or 2 H) and readout.bias (I).
struct ParameterShape {
  std::string name;
  Size rows, columns;
};
std::vector<ParameterShape> parameter_shapes(const std::string& model, Size input, Size hidden);

/// Inputs are normal, parameters uniform in [-1/sqrt(H), 1/sqrt(H)), as PyTorch initialises them.
/// The same seed gives the same bits.
Problem make_problem(const std::string& model, const Shape& shape, std::uint64_t seed);

/// An implementation of the training step of a Problem. Each call of `step` is one whole step:
/// forward, mean cross-entropy over T * B, backward, clip by global norm, SGD.
struct Contestant {
  std::string name;
  std::function<double()> step;  ///< returns the loss before the update, NaN if there is none
};

/// Empty for bilstm and custom.
std::optional<Contestant> handwritten_step(const Problem& problem);
/// Empty for bilstm.
std::optional<Contestant> products_alone(const Problem& problem);
/// Empty for custom, or if the build found no libtorch.
std::optional<Contestant> torch_step(const Problem& problem, int threads);

/// The library's built-in layer; empty for custom.
std::optional<Contestant> library_step(const Problem& problem);
/// library_step() with the batch divided over `threads` threads.
std::optional<Contestant> parallel_step(const Problem& problem, int threads);
/// A cell written outside of the library from generic operations: of an LSTM, or the custom one;
/// empty for other models.
std::optional<Contestant> user_step(const Problem& problem);
/// The custom cell with everything in `step`: no product over many steps. Empty for other models.
std::optional<Contestant> naive_step(const Problem& problem);

// Batches of sequences of different lengths, evenly spread over [1, T) in random order.

/// The library's step: "step" with all lengths T, "ragged", and "sorted", the same with the longest
/// sequences first.
std::vector<Contestant> ragged_steps(const Problem& problem);

// Inference, without a tape. Their steps return the sum of the outputs.

/// Of the whole sequence, "sequence": network and readout. Empty for custom.
std::optional<Contestant> library_inference(const Problem& problem);
/// "PyTorch sequence", with gradients disabled.
std::optional<Contestant> torch_inference(const Problem& problem, int threads);
/// T single steps of the network with batch 1, each from the state of the one before, "decoding".
/// Empty for custom, and for bilstm, which cannot take single steps.
std::optional<Contestant> library_decoding(const Problem& problem);

}  // namespace hindsight::bench
