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

/// One training task: a one-layer network with a linear readout to V = I classes at every step.
/// The layouts are PyTorch's; G is 4 for an LSTM (gates i, f, g, o) and 1 for an RNN with tanh.
struct Problem {
  std::string model;                                     ///< "lstm" or "rnn"
  Size T, B, I, H;                                       ///< time, batch, input, hidden
  std::vector<float> x;                                  ///< (T, B, I), a constant
  std::vector<std::int64_t> targets;                     ///< (T, B), each in [0, I)
  std::map<std::string, std::vector<float>> parameters;  ///< by the names of parameter_shapes
  double learning_rate = 0.01;
  double clip_norm = 1.0;  ///< global 2-norm, over all parameters

  Size gates() const { return model == "lstm" ? 4 : 1; }
};

/// Name, rows and columns (1 for a bias) of every parameter: weight_ih (G H, I), weight_hh (G H,
/// H), bias_ih, bias_hh (G H), readout.weight (I, H), readout.bias (I).
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

Contestant handwritten_step(const Problem& problem);
Contestant products_alone(const Problem& problem);
/// Empty if the build found no libtorch.
std::optional<Contestant> torch_step(const Problem& problem, int threads);

/// The library's built-in layer, and the same cell written outside the library from generic ops.
/// library_step.cpp defines both.
Contestant library_step(const Problem& problem);
/// library_step() with the batch divided over `threads` threads.
Contestant parallel_step(const Problem& problem, int threads);
Contestant user_step(const Problem& problem);

}  // namespace hindsight::bench
