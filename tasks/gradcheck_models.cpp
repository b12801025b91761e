#include "gradcheck_models.h"

#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/lstm.h>
#include <hindsight/nn/rnn.h>

#include <algorithm>

namespace hindsight::tasks {
namespace {

using Network = std::shared_ptr<nn::Unroller>;

struct Entry {
  const char* name;
  bool projects;  // whether it has a projection
  Network (*make)(const GradcheckModelOptions&, Rng&);
};

/// Each cell of the library has a row.
const Entry kModels[] = {
    {"lstm", true,
     [](const GradcheckModelOptions& o, Rng& rng) -> Network {
       return std::make_shared<nn::Lstm>(o.network, rng,
                                         nn::LstmOptions{.projection = o.projection});
     }},
    {"rnn", false,
     [](const GradcheckModelOptions& o, Rng& rng) -> Network {
       return std::make_shared<nn::Rnn>(o.network, rng);
     }},
    {"rnn-relu", false,
     [](const GradcheckModelOptions& o, Rng& rng) -> Network {
       return std::make_shared<nn::Rnn>(o.network, rng,
                                        nn::RnnOptions{.nonlinearity = nn::Nonlinearity::relu});
     }},
};

Network make_network(const GradcheckModelOptions& options, Rng& rng) {
  const Entry* entry = std::find_if(std::begin(kModels), std::end(kModels),
                                    [&](const Entry& e) { return e.name == options.model; });
  if (entry == std::end(kModels)) {
    fail<OptionError>("there is no model '{}': {}", options.model, gradcheck_model_names());
  }
  if (options.projection > 0 && !entry->projects)
    fail<OptionError>("--projection: model '{}' has none", options.model);
  return entry->make(options, rng);
}

Tensor normal(const Shape& shape, Rng& rng) {
  return nn::init::normal(shape, 1.0, rng).to(DType::f64);
}

}  // namespace

std::string gradcheck_model_names() {
  std::string names;
  for (const Entry& entry : kModels) names += (names.empty() ? "" : ", ") + std::string(entry.name);
  return names;
}

GradcheckModel::GradcheckModel(const GradcheckModelOptions& options) : lengths_(options.lengths) {
  Rng rng(options.seed);
  network_ = make_network(options, rng);
  network_->to(DType::f64);
  const Size steps = options.steps, batch = options.batch;
  input_ = Parameter("input", normal({steps, batch, options.network.input}, rng));
  const nn::States shapes = (*network_)(Variable(input_), {.lengths = lengths_}).final;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const std::size_t directions = options.network.bidirectional ? 2 : 1;
    std::vector<Parameter> parts;
    for (int k = 0; k < shapes[i].size(); ++k) {
      // h0_l0, c0_l0, h0_l0_reverse ..., like the names of parameters.
      parts.emplace_back(fmt::format("{}0_l{}{}", k == 0 ? "h" : "c", i / directions,
                                     i % directions == 0 ? "" : "_reverse"),
                         normal(shapes[i][k].shape(), rng));
    }
    states_.push_back(std::move(parts));
  }
}

std::vector<Parameter> GradcheckModel::parameters() const {
  std::vector<Parameter> result;
  for (const Parameter& p : network_->parameters()) result.push_back(p);
  result.push_back(input_);
  for (const auto& parts : states_) result.insert(result.end(), parts.begin(), parts.end());
  return result;
}

Variable GradcheckModel::operator()() const {
  nn::States initial;
  for (const std::vector<Parameter>& parts : states_) {
    nn::State state;
    for (const Parameter& part : parts) state.push_back(Variable(part));
    initial.push_back(std::move(state));
  }
  const nn::Unrolled run =
      (*network_)(Variable(input_), {.initial = std::move(initial), .lengths = lengths_});
  std::vector<Variable> results{reshape(run.outputs, {-1})};
  for (const nn::State& state : run.final) {
    for (int k = 0; k < state.size(); ++k) results.push_back(reshape(state[k], {-1}));
  }
  return concat(results, 0);
}

}  // namespace hindsight::tasks
