#include "models.h"

#include <functional>
#include <map>

namespace hindsight::conformance {
namespace {

std::unique_ptr<nn::Unroller> make_rnn(const nn::RecurrentOptions& sizes, Options& options,
                                       Rng& rng) {
  nn::RnnOptions cell;
  const auto nonlinearity = options.get<std::string>("nonlinearity", "tanh");
  if (nonlinearity == "relu") {
    cell.nonlinearity = nn::Nonlinearity::relu;
  } else if (nonlinearity != "tanh") {
    options.unsupported("nonlinearity");
  }
  cell.bias = options.get("bias", true);
  return std::make_unique<nn::Rnn>(sizes, rng, cell);
}

std::unique_ptr<nn::Unroller> make_lstm(const nn::RecurrentOptions& sizes, Options& options,
                                        Rng& rng) {
  nn::LstmOptions cell;
  cell.bias = options.get("bias", true);
  cell.projection = options.get<Size>("proj_size", 0);
  return std::make_unique<nn::Lstm>(sizes, rng, cell);
}

std::unique_ptr<nn::Unroller> make_gru(const nn::RecurrentOptions& sizes, Options& options,
                                       Rng& rng) {
  nn::GruOptions cell;
  cell.bias = options.get("bias", true);
  return std::make_unique<nn::Gru>(sizes, rng, cell);
}

using Parameters = std::vector<Parameter>;

std::unique_ptr<optim::Optimizer> make_sgd(const Parameters& parameters, double clip_norm,
                                           Options& options) {
  optim::SgdOptions sgd;
  sgd.learning_rate = options.get<double>("lr");
  sgd.momentum = options.get("momentum", 0.0);
  sgd.dampening = options.get("dampening", 0.0);
  sgd.weight_decay = options.get("weight_decay", 0.0);
  sgd.nesterov = options.get("nesterov", false);
  sgd.clip_norm = clip_norm;
  return std::make_unique<optim::Sgd>(parameters, sgd);
}

template <class Rule, class RuleOptions>
std::unique_ptr<optim::Optimizer> make_adam(const Parameters& parameters, double clip_norm,
                                            Options& options) {
  const auto betas = options.get<std::vector<double>>("betas", {0.9, 0.999});
  RuleOptions adam;
  adam.learning_rate = options.get("lr", 1e-3);
  adam.beta1 = betas.at(0);
  adam.beta2 = betas.at(1);
  adam.epsilon = options.get("eps", 1e-8);
  adam.weight_decay = options.get("weight_decay", adam.weight_decay);
  adam.amsgrad = options.get("amsgrad", false);
  adam.clip_norm = clip_norm;
  return std::make_unique<Rule>(parameters, adam);
}

using RecurrentMaker = std::unique_ptr<nn::Unroller> (*)(const nn::RecurrentOptions&, Options&,
                                                         Rng&);
const std::map<std::string, RecurrentMaker> kCells = {
    {"rnn", make_rnn}, {"lstm", make_lstm}, {"gru", make_gru}};

using OptimizerMaker = std::unique_ptr<optim::Optimizer> (*)(const Parameters&, double, Options&);
const std::map<std::string, OptimizerMaker> kOptimizers = {
    {"SGD", make_sgd},
    {"Adam", make_adam<optim::Adam, optim::AdamOptions>},
    {"AdamW", make_adam<optim::AdamW, optim::AdamWOptions>}};

}  // namespace

std::unique_ptr<nn::Unroller> make_recurrent(const std::string& cell,
                                             const nn::RecurrentOptions& sizes, Options& options) {
  const auto maker = kCells.find(cell);
  if (maker == kCells.end()) throw Skip{"cell " + cell};
  Rng rng(1);  // its values are replaced
  return maker->second(sizes, options, rng);
}

std::unique_ptr<optim::Optimizer> make_optimizer(const std::string& name,
                                                 const Parameters& parameters, double clip_norm,
                                                 Options& options) {
  const auto maker = kOptimizers.find(name);
  if (maker == kOptimizers.end()) throw Skip{"optimizer " + name};
  return maker->second(parameters, clip_norm, options);
}

}  // namespace hindsight::conformance
