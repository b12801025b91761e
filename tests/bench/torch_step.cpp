#include "torch_step.h"

#include <torch/torch.h>

#include <cstdio>

namespace {

torch::Tensor copy(const float* data, torch::IntArrayRef shape) {
  return torch::from_blob(const_cast<float*>(data), shape, torch::kFloat32).clone();
}

/// nn::LSTM or nn::RNN, nn::Linear, cross-entropy, clipping and SGD, as a torch user writes it.
struct Network {
  torch::nn::LSTM lstm{nullptr};
  torch::nn::RNN rnn{nullptr};
  torch::nn::Linear readout;
  torch::Tensor x, targets;
  std::vector<torch::Tensor> parameters;
  std::unique_ptr<torch::optim::SGD> sgd;
  double clip_norm;
  int threads;

  explicit Network(const HindsightTorchProblem& p)
      : readout(p.H, p.I),
        x(copy(p.x, {p.T, p.B, p.I})),
        targets(torch::from_blob(const_cast<std::int64_t*>(p.targets), {p.T * p.B}, torch::kInt64)
                    .clone()),
        clip_norm(p.clip_norm),
        threads(p.threads) {
    if (p.lstm) {
      lstm = torch::nn::LSTM(torch::nn::LSTMOptions(p.I, p.H));
      parameters = lstm->parameters();
    } else {
      rnn = torch::nn::RNN(torch::nn::RNNOptions(p.I, p.H).nonlinearity(torch::kTanh));
      parameters = rnn->parameters();
    }
    for (const auto& parameter : readout->parameters()) parameters.push_back(parameter);
    const float* const values[] = {p.weight_ih, p.weight_hh,      p.bias_ih,
                                   p.bias_hh,   p.readout_weight, p.readout_bias};
    TORCH_CHECK(parameters.size() == std::size(values), "six parameters expected");
    torch::NoGradGuard no_grad;
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      parameters[k].copy_(copy(values[k], parameters[k].sizes()));
    }
    sgd =
        std::make_unique<torch::optim::SGD>(parameters, torch::optim::SGDOptions(p.learning_rate));
  }

  double step() {
    // Other contestants in this process may have changed it for their products.
    torch::set_num_threads(threads);
    sgd->zero_grad();
    const torch::Tensor h = lstm ? std::get<0>(lstm(x)) : std::get<0>(rnn(x));
    const torch::Tensor loss =
        torch::nn::functional::cross_entropy(readout(h).flatten(0, 1), targets);
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

void hindsight_torch_destroy(void* network) { delete static_cast<Network*>(network); }
}
