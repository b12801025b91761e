#include <cmath>
#include <random>

#include "contestants.h"

namespace hindsight::bench {

std::vector<ParameterShape> parameter_shapes(const std::string& model, Size input, Size hidden) {
  const Size gates = (model == "lstm" ? 4 : 1) * hidden;
  return {
      {"weight_ih", gates, input}, {"weight_hh", gates, hidden},      {"bias_ih", gates, 1},
      {"bias_hh", gates, 1},       {"readout.weight", input, hidden}, {"readout.bias", input, 1}};
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
