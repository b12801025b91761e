#include <cmath>
#include <random>

#include "contestants.h"

namespace hindsight::bench {

Size gates_of(const std::string& model) {
  if (model == "gru") return 3;
  return model == "lstm" || model == "bilstm" ? 4 : 1;
}

std::vector<ParameterShape> parameter_shapes(const std::string& model, Size input, Size hidden) {
  if (model == "custom") {
    return {{"w_l0", input, hidden},
            {"u_l0", hidden, hidden},
            {"b_l0", hidden, 1},
            {"readout.weight", input, hidden},
            {"readout.bias", input, 1}};
  }
  const Size gates = gates_of(model) * hidden;
  std::vector<ParameterShape> all;
  const auto add = [&](const std::string& suffix, Size width) {
    all.push_back({"weight_ih" + suffix, gates, width});
    all.push_back({"weight_hh" + suffix, gates, hidden});
    all.push_back({"bias_ih" + suffix, gates, 1});
    all.push_back({"bias_hh" + suffix, gates, 1});
  };
  const bool both = model == "bilstm";
  add("_l0", input);
  if (both) {
    add("_l0_reverse", input);
    add("_l1", 2 * hidden);
    add("_l1_reverse", 2 * hidden);
  }
  all.push_back({"readout.weight", input, both ? 2 * hidden : hidden});
  all.push_back({"readout.bias", input, 1});
  return all;
}

Problem make_problem(const std::string& model, const Shape& shape, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  Problem problem{model, shape.T, shape.B, shape.I, shape.H, {}, {}, {}};
  std::normal_distribution<float> normal;
  problem.x.resize(static_cast<std::size_t>(shape.T * shape.B * shape.I));
  for (float& value : problem.x) value = normal(engine);
  std::uniform_int_distribution<std::int64_t> symbol(0, shape.I - 1);
  problem.targets.resize(static_cast<std::size_t>(shape.T * shape.B));
  for (auto& target : problem.targets) target = symbol(engine);
  const float bound = 1 / std::sqrt(static_cast<float>(shape.H));
  std::uniform_real_distribution<float> uniform(-bound, bound);
  for (const ParameterShape& p : parameter_shapes(model, shape.I, shape.H)) {
    auto& values = problem.parameters[p.name];
    values.resize(static_cast<std::size_t>(p.rows * p.columns));
    for (float& value : values) value = uniform(engine);
  }
  return problem;
}

}  // namespace hindsight::bench
