#include "gradcheck_models.h"

#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/init.h>

#include "recurrent_models.h"

namespace hindsight::tasks {
namespace {

Tensor normal(const Shape& shape, Rng& rng) {
  return nn::init::normal(shape, 1.0, rng).to(DType::f64);
}

}  // namespace

GradcheckModel::GradcheckModel(const GradcheckModelOptions& options) : lengths_(options.lengths) {
  Rng rng(options.seed);
  network_ = make_recurrent_model(options.model, options.network, rng, options.projection);
  network_->to(DType::f64);
  const Size steps = options.steps, batch = options.batch;
  input_ = Parameter("input", normal({steps, batch, options.network.input}, rng));
  const nn::States shapes = network_->initial_states(batch);
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const std::size_t directions = options.network.bidirectional ? 2 : 1;
    std::vector<Parameter> parts;
    for (int k = 0; k < shapes[i].size(); ++k) {
      // h0_l0, c0_l0, h0_l0_reverse ..., like the names of parameters.
      const std::string part = k == 0 ? "h0" : k == 1 ? "c0" : fmt::format("state{}", k);
      parts.emplace_back(
          fmt::format("{}_l{}{}", part, i / directions, i % directions == 0 ? "" : "_reverse"),
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
