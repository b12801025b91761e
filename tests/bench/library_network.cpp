#include "library_network.h"

#include <hindsight/nn/gru.h>
#include <hindsight/nn/lstm.h>
#include <hindsight/nn/rnn.h>

/// The library's own layers, and cells written here from generic operations, as a user would.
namespace hindsight::bench {
namespace {

/// The same LSTM, outside of the library.
struct UserLstmCell : nn::Cell {
  Parameter weight_ih, weight_hh, bias_ih, bias_hh;
  Size hidden;

  UserLstmCell(Size input, Size hidden_size, Rng& rng)
      : weight_ih(parameter("weight_ih", nn::init::uniform({4 * hidden_size, input}, 0.1, rng))),
        weight_hh(
            parameter("weight_hh", nn::init::uniform({4 * hidden_size, hidden_size}, 0.1, rng))),
        bias_ih(parameter("bias_ih", nn::init::zeros({4 * hidden_size}))),
        bias_hh(parameter("bias_hh", nn::init::zeros({4 * hidden_size}))),
        hidden(hidden_size) {}

  Variable project(const Variable& inputs) const override {
    return linear(inputs, weight_ih, bias_ih + bias_hh);
  }
  nn::State step(const Variable& px, const nn::State& state) const override {
    const auto [i, f, g, o] = chunk<4>(px + matmul(state[0], transpose(weight_hh)));
    const Variable c = sigmoid(f) * state[1] + sigmoid(i) * tanh(g);
    return {sigmoid(o) * tanh(c), c};
  }
  nn::Widths state_sizes() const override { return {hidden, hidden}; }
};

/// h' = leak h + (1 - leak) tanh(x W + b + h U), the cell of the README.
struct LeakyCell : nn::Cell {
  Parameter w, u, b;

  LeakyCell(Size input, Size hidden, Rng& rng)
      : w(parameter("w", nn::init::glorot({input, hidden}, rng))),
        u(parameter("u", nn::init::orthogonal({hidden, hidden}, rng))),
        b(parameter("b", nn::init::zeros({hidden}))) {}

  Variable project(const Variable& x) const override { return matmul(x, w) + b; }
  nn::State step(const Variable& px, const nn::State& s) const override {
    return {kLeak * s[0] + (1 - kLeak) * tanh(px + matmul(s[0], u))};
  }
  nn::Widths state_sizes() const override { return {b.shape()[0]}; }
};

/// The same with everything in the step.
struct NaiveLeakyCell : LeakyCell {
  using LeakyCell::LeakyCell;

  Variable project(const Variable& x) const override { return x; }
  nn::State step(const Variable& x, const nn::State& s) const override {
    return {kLeak * s[0] + (1 - kLeak) * tanh(matmul(x, w) + b + matmul(s[0], u))};
  }
};

void set(Parameter parameter, const std::vector<float>& values) {
  const Tensor tensor(parameter.shape(), DType::f32);
  std::copy(values.begin(), values.end(), tensor.data<float>());
  parameter.assign(tensor);
}

template <class CellType>
std::unique_ptr<nn::Unroller> layer_of(const Problem& p) {
  const bool both = p.model == "bilstm";
  Rng rng{1};
  return std::make_unique<nn::Recurrent<CellType>>(
      nn::RecurrentOptions{
          .input = p.I, .hidden = p.H, .layers = both ? 2 : 1, .bidirectional = both},
      rng);
}

}  // namespace

std::unique_ptr<nn::Unroller> make_layer(const Problem& p, Writer writer) {
  if (writer == Writer::user && p.model == "lstm") return layer_of<UserLstmCell>(p);
  if (writer == Writer::user && p.model == "custom") return layer_of<LeakyCell>(p);
  if (writer == Writer::naive && p.model == "custom") return layer_of<NaiveLeakyCell>(p);
  if (writer != Writer::library || p.model == "custom") return nullptr;
  if (p.model == "gru") return layer_of<nn::GruCell>(p);
  if (p.model == "rnn") return layer_of<nn::RnnCell>(p);
  return layer_of<nn::LstmCell>(p);
}

LibraryNetwork::LibraryNetwork(const Problem& p, std::unique_ptr<nn::Unroller> recurrent)
    : layer(std::move(recurrent)), readout({.inputs = layer->output_size(), .outputs = p.I}, rng) {
  for (auto& [name, parameter] : layer->named_parameters()) set(parameter, p.parameters.at(name));
  set(readout.weight, p.parameters.at("readout.weight"));
  set(readout.bias, p.parameters.at("readout.bias"));
}

std::vector<Parameter> LibraryNetwork::parameters() const {
  std::vector<Parameter> all = layer->parameters();
  for (const Parameter& p : readout.parameters()) all.push_back(p);
  return all;
}

}  // namespace hindsight::bench
