#pragma once
#include <hindsight/nn/nn.h>

#include <functional>

#include "nn/recurrent_support.h"
#include "support.h"

/// Shared by the tests of single cells: values against plain loops, and gradients.
namespace hindsight::test {

using Vector = std::vector<double>;

inline double sigma(double x) { return 1 / (1 + std::exp(-x)); }

/// Row `row` of a tensor seen as rows of its last axis.
inline Vector row_of(const Tensor& t, Size row) {
  const Size width = t.shape().back();
  Vector values;
  for (Size i = 0; i < width; ++i) values.push_back(t.at(row * width + i));
  return values;
}

/// Element `row` of w x + b; the bias may be absent.
inline double affine(const Parameter& w, const Vector& x, Size row, const Parameter& b = {}) {
  double total = b ? b.value().at(row) : 0;
  for (std::size_t j = 0; j < x.size(); ++j)
    total += w.value().at(row * w.shape().back() + static_cast<Size>(j)) * x[j];
  return total;
}

/// Gives parameters values in float64 that have no structure, unlike initial ones.
inline void randomize(const nn::Module& module, double bound = 0.7) {
  module.to(DType::f64);
  std::uint64_t seed = 300;
  for (Parameter& p : module.parameters())
    p.assign(random_tensor(p.shape(), ++seed, DType::f64, -bound, bound));
}

/// The states of a network of `batch` rows, uniform in [low, 1).
inline std::vector<Tensor> random_states(const nn::Unroller& network, Size batch, double low = -1) {
  std::vector<Tensor> parts;
  for (const nn::State& state : network.initial_states(batch)) {
    for (int k = 0; k < state.size(); ++k)
      parts.push_back(random_tensor(state[k].shape(), 40 + parts.size(), DType::f64, low, 1));
  }
  return parts;
}

/// Parts from `first` on as states of `network`.
inline nn::States states_of(const nn::Unroller& network, In parts, std::size_t first) {
  nn::States states = network.initial_states(1);
  for (nn::State& state : states) {
    for (int k = 0; k < state.size(); ++k) state[k] = parts[first++];
  }
  return states;
}

/// One step of one batch row: changes the parts of the state, returns the output.
using PlainStep = std::function<Vector(const Vector& x, std::vector<Vector>* state)>;

/// Compares a network of one layer with plain loops over 4 steps of 3 rows: outputs, final states.
inline void check_values(nn::Unroller& network, const PlainStep& step, double low = -1) {
  constexpr Size kSteps = 4, kBatch = 3;
  const Tensor x = random_tensor({kSteps, kBatch, network.options().input}, 5);
  std::vector<Variable> parts;
  for (const Tensor& part : random_states(network, kBatch, low)) parts.emplace_back(part);
  const nn::Unrolled run = network(Variable(x), states_of(network, parts, 0));
  double worst = 0;
  const auto compare = [&](const Tensor& got, Size row, const Vector& wanted) {
    REQUIRE(got.shape().back() == static_cast<Size>(wanted.size()));
    const Vector values = row_of(got, row);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      worst = std::max(worst, std::abs(values[i] - wanted[i]));
  };
  for (Size row = 0; row < kBatch; ++row) {
    std::vector<Vector> state;
    for (const Variable& part : parts) state.push_back(row_of(part.value(), row));
    for (Size t = 0; t < kSteps; ++t)
      compare(run.outputs.value(), t * kBatch + row, step(row_of(x, t * kBatch + row), &state));
    for (std::size_t k = 0; k < state.size(); ++k)
      compare(run.final[0][static_cast<int>(k)].value(), row, state[k]);
  }
  CHECK(worst < 1e-13);
}

/// Checks a network in its parameters, inputs and initial states, uniform in [low, 1), to second
/// order, with three rows of different lengths.
template <class Network, class... Arguments>
void check_cell(const char* name, const nn::RecurrentOptions& options, double low,
                const Arguments&... arguments) {
  INFO(std::string(name));
  Rng rng(7);
  Network network(options, rng, arguments...);
  randomize(network);
  std::vector<Tensor> inputs{random_tensor({4, 3, options.input}, 1)};
  for (const Tensor& part : random_states(network, 3, low)) inputs.push_back(part);
  const Function f = [&](In x) {
    return everything(network(x[0], {.initial = states_of(network, x, 1), .lengths = {2, 4, 3}}));
  };
  check_both_orders(f, inputs, network.parameters(), 5);
  check_float_like_double(f, inputs, network.parameters());
  network.to(DType::f64);
}

/// Two layers in both directions.
constexpr auto kDeep = [](Size input, Size hidden) {
  return nn::RecurrentOptions{.input = input, .hidden = hidden, .layers = 2, .bidirectional = true};
};

/// The same values for symbols and for one-hot vectors.
inline void check_symbols(nn::Unroller& network) {
  const Size symbols_count = network.options().input;
  const Indices symbols(std::vector<Size>{0, 1, symbols_count - 1, 1, 0, 0}, {3, 2});
  const Variable vectors(one_hot(symbols, symbols_count, network.dtype()));
  CHECK(relative_difference(network(symbols).outputs.value(), network(vectors).outputs.value()) <
        1e-13);
}

}  // namespace hindsight::test
