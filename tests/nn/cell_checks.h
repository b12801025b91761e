#pragma once
#include <hindsight/nn/nn.h>

#include "nn/recurrent_support.h"
#include "support.h"

/// Checks of a cell: of its gradients in a network, and of its values against plain loops.
namespace hindsight::test {

using Vector = std::vector<double>;

/// W x, or its rows [first, first + count).
inline Vector product(const Parameter& w, const Vector& x, Size first = 0, Size count = -1) {
  Vector result;
  const Size columns = w.shape()[1];
  for (Size row = first; row < (count < 0 ? w.shape()[0] : first + count); ++row) {
    double total = 0;
    for (Size j = 0; j < columns; ++j)
      total += w.value().at(row * columns + j) * x[static_cast<std::size_t>(j)];
    result.push_back(total);
  }
  return result;
}

/// Adds a bias to each element, if it is there.
inline void add(const Parameter& bias, Vector* to) {
  for (std::size_t i = 0; bias && i < to->size(); ++i)
    (*to)[i] += bias.value().at(static_cast<Size>(i));
}

inline double sigma(double x) { return 1 / (1 + std::exp(-x)); }

/// One step of one sequence: x and the parts of the state, which it replaces.
using PlainStep = std::function<void(const Vector& x, std::vector<Vector>* state)>;

/// Compares every state of a network of one layer in one direction with a plain step.
template <class Network>
void check_values(Network& network, const nn::State& initial, const PlainStep& plain,
                  Size steps = 6) {
  network.to(DType::f64);
  const Size batch = initial[0].size(0), width = network.options().input;
  const Tensor x = random_tensor({steps, batch, width}, 5);
  const nn::State states =
      network(Variable(x), {.initial = {initial}, .all_states = true}).states[0];
  const auto row_of = [](const Tensor& values, Size row) {
    Vector result;
    const Size columns = values.shape().back();
    for (Size i = 0; i < columns; ++i) result.push_back(values.at(row * columns + i));
    return result;
  };
  double worst = 0;
  for (Size row = 0; row < batch; ++row) {
    std::vector<Vector> state;
    for (int k = 0; k < initial.size(); ++k) state.push_back(row_of(initial[k].value(), row));
    for (Size t = 0; t < steps; ++t) {
      plain(row_of(x, t * batch + row), &state);
      for (int k = 0; k < states.size(); ++k) {
        const Vector got = row_of(states[k].value(), t * batch + row);
        for (std::size_t i = 0; i < got.size(); ++i)
          worst = std::max(worst, std::abs(got[i] - state[static_cast<std::size_t>(k)][i]));
      }
    }
  }
  CHECK(worst < 1e-13);
}

/// Checks first and second derivatives of a network of two layers in both directions, with lengths,
/// by its parameters, its inputs and its initial states; and float32 against float64.
template <class Network, class... Arguments>
void check_cell_gradients(const char* name, Size hidden, const Arguments&... arguments) {
  INFO(std::string(name));
  Rng rng(7);
  Network network({.input = 3, .hidden = hidden, .layers = 2, .bidirectional = true}, rng,
                  arguments...);
  network.to(DType::f64);
  std::vector<Tensor> inputs{random_tensor({5, 3, 3}, 1)};
  const nn::States given = network.initial_states(3);
  for (const nn::State& state : given) {
    for (int k = 0; k < state.size(); ++k)
      inputs.push_back(random_tensor(state[k].shape(), 20 + inputs.size()));
  }
  const Function f = [&](In x) {
    nn::States initial;
    std::size_t next = 1;
    for (const nn::State& state : given) {
      initial.emplace_back();
      for (int k = 0; k < state.size(); ++k) initial.back().push_back(x[next++]);
    }
    return everything(network(x[0], {.initial = initial, .lengths = {5, 2, 4}}));
  };
  check_both_orders(f, inputs, network.parameters(), 7);
  check_float_like_double(f, inputs, network.parameters());
}

/// A state of random values; widths: of its parts.
inline nn::State random_state(const std::vector<Size>& widths, Size batch = 3) {
  nn::State state;
  for (Size width : widths)
    state.push_back(
        Variable(random_tensor({batch, width}, 40 + static_cast<std::uint64_t>(state.size()))));
  return state;
}

}  // namespace hindsight::test
