#include <hindsight/autograd/autograd.h>
#include <hindsight/nn/linear.h>
#include <hindsight/nn/lstm.h>
#include <hindsight/nn/parallel_gradient.h>
#include <hindsight/nn/rnn.h>
#include <hindsight/optim/optim.h>

#include "contestants.h"

/// The training step by the library: with its own layer, and with the same LSTM written here from
/// generic operations, as a user would.
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

void set(Parameter parameter, const std::vector<float>& values) {
  const Tensor tensor(parameter.shape(), DType::f32);
  std::copy(values.begin(), values.end(), tensor.data<float>());
  parameter.assign(tensor);
}

/// A recurrent layer, its readout and its optimizer, ready to step.
template <class Layer>
struct Trainer {
  Rng rng{1};
  Layer layer;
  nn::Linear readout;
  optim::Sgd sgd;
  Tensor x;
  Indices targets;
  int threads;

  Trainer(const Problem& p, int thread_count)
      : layer({.input = p.I, .hidden = p.H}, rng),
        readout({.inputs = p.H, .outputs = p.I}, rng),
        sgd(all_parameters(), {.learning_rate = p.learning_rate, .clip_norm = p.clip_norm}),
        x({p.T, p.B, p.I}, DType::f32),
        targets(p.targets, {p.T, p.B}),
        threads(thread_count) {
    std::copy(p.x.begin(), p.x.end(), x.data<float>());
    for (const char* name : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}) {
      for (auto& [full_name, parameter] : layer.named_parameters()) {
        if (full_name == std::string(name) + "_l0") set(parameter, p.parameters.at(name));
      }
    }
    set(readout.weight, p.parameters.at("readout.weight"));
    set(readout.bias, p.parameters.at("readout.bias"));
  }

  std::vector<Parameter> all_parameters() const {
    std::vector<Parameter> all = layer.parameters();
    for (const Parameter& p : readout.parameters()) all.push_back(p);
    return all;
  }

  double step() {
    const double value = threads > 1 ? parallel_gradient() : gradient();
    sgd.step();
    return value;
  }

  double gradient() {
    Tape tape;
    const Variable loss = cross_entropy(readout(layer(Variable(x)).outputs), targets);
    tape.backward(loss);
    return loss.item();
  }

  double parallel_gradient() {
    const auto loss_of = [this](const nn::Rows& rows) {
      const Variable logits = readout(layer(Variable(rows.of(x, 1))).outputs);
      return Variable(rows.share() * cross_entropy(logits, rows.of(targets, 1)));
    };
    return nn::parallel_gradient(x.size(1), loss_of, {.threads = threads});
  }
};

template <class Layer>
Contestant contestant(const std::string& name, const Problem& problem, int threads = 1) {
  return {name, [trainer = std::make_shared<Trainer<Layer>>(problem, threads)] {
            return trainer->step();
          }};
}

}  // namespace

Contestant library_step(const Problem& problem) {
  return problem.model == "lstm" ? contestant<nn::Lstm>("step", problem)
                                 : contestant<nn::Rnn>("step", problem);
}

Contestant parallel_step(const Problem& problem, int threads) {
  return problem.model == "lstm" ? contestant<nn::Lstm>("threads", problem, threads)
                                 : contestant<nn::Rnn>("threads", problem, threads);
}

Contestant user_step(const Problem& problem) {
  return contestant<nn::Recurrent<UserLstmCell>>("user", problem);
}

}  // namespace hindsight::bench
