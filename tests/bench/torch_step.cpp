#include "torch_step.h"

#include <torch/torch.h>

#include <cstdio>
#include <string>

namespace {

torch::Tensor copy(const float* data, torch::IntArrayRef shape) {
  return torch::from_blob(const_cast<float*>(data), shape, torch::kFloat32).clone();
}

/// nn::LSTM, nn::GRU or nn::RNN, nn::Linear, cross-entropy, clipping and SGD, as a torch user
/// writes it.
struct Network {
  torch::nn::LSTM lstm{nullptr};
  torch::nn::GRU gru{nullptr};
  torch::nn::RNN rnn{nullptr};
  torch::nn::Linear readout{nullptr};
  torch::Tensor x, targets;
  std::vector<torch::Tensor> parameters;
  std::unique_ptr<torch::optim::SGD> sgd;
  double clip_norm;
  int threads;

  explicit Network(const HindsightTorchProblem& p)
      : x(copy(p.x, {p.T, p.B, p.I})),
        targets(torch::from_blob(const_cast<std::int64_t*>(p.targets), {p.T * p.B}, torch::kInt64)
                    .clone()),
        clip_norm(p.clip_norm),
        threads(p.threads) {
    const std::string model = p.model;
    const bool both = model == "bilstm";
    if (model == "gru") {
      gru = torch::nn::GRU(torch::nn::GRUOptions(p.I, p.H));
      parameters = gru->parameters();
    } else if (model == "rnn") {
      rnn = torch::nn::RNN(torch::nn::RNNOptions(p.I, p.H).nonlinearity(torch::kTanh));
      parameters = rnn->parameters();
    } else {
      lstm = torch::nn::LSTM(
          torch::nn::LSTMOptions(p.I, p.H).num_layers(both ? 2 : 1).bidirectional(both));
      parameters = lstm->parameters();
    }
    readout = torch::nn::Linear(both ? 2 * p.H : p.H, p.I);
    for (const auto& parameter : readout->parameters()) parameters.push_back(parameter);
    TORCH_CHECK(static_cast<std::int64_t>(parameters.size()) == p.parameter_count,
                p.parameter_count, " parameters given for ", parameters.size());
    torch::NoGradGuard no_grad;
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      parameters[k].copy_(copy(p.parameters[k], parameters[k].sizes()));
    }
    sgd =
        std::make_unique<torch::optim::SGD>(parameters, torch::optim::SGDOptions(p.learning_rate));
  }

  torch::Tensor logits() {
    // Other contestants in this process may have changed it for their products.
    torch::set_num_threads(threads);
    if (gru) return readout(std::get<0>(gru(x)));
    return readout(lstm ? std::get<0>(lstm(x)) : std::get<0>(rnn(x)));
  }

  double inference() {
    torch::NoGradGuard no_grad;
    return logits().sum().item<double>();
  }

  double step() {
    sgd->zero_grad();
    const torch::Tensor loss =
        torch::nn::functional::cross_entropy(logits().flatten(0, 1), targets);
    loss.backward();
    torch::nn::utils::clip_grad_norm_(parameters, clip_norm);
    sgd->step();
    return loss.item<double>();
  }
};

}  // namespace

extern "C" {

void* hindsight_torch_make(const HindsightTorchProblem* problem) {
  try {
    return new Network(*problem);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "torch: %s\n", error.what());
    return nullptr;
  }
}

double hindsight_torch_step(void* network) { return static_cast<Network*>(network)->step(); }

double hindsight_torch_inference(void* network) {
  return static_cast<Network*>(network)->inference();
}

void hindsight_torch_destroy(void* network) { delete static_cast<Network*>(network); }
}
