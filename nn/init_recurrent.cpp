#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/init.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace hindsight::nn::init {
namespace {

constexpr Size kPascanuLinks = 15;
constexpr double kPascanuRadius = 0.95;

}  // namespace

Tensor sparse(const Shape& shape, Size links, const std::function<double()>& draw, Rng& rng) {
  if (shape.rank() != 2) fail<ShapeError>("init::sparse: shape {}; a matrix is needed", shape);
  const Size rows = shape[0], columns = shape[1];
  if (links < 1 || links > columns) {
    fail<OptionError>("init::sparse: {} links per row of {} columns; they must be in [1, {}]",
                      links, columns, columns);
  }
  const Tensor t = zeros(shape);
  float* values = t.data<float>();
  std::vector<Size> order(static_cast<std::size_t>(columns));
  std::iota(order.begin(), order.end(), Size{0});
  for (Size row = 0; row < rows; ++row) {
    for (Size i = 0; i < links; ++i) {  // the first steps of a shuffle
      std::swap(order[static_cast<std::size_t>(i)],
                order[static_cast<std::size_t>(i + rng.below(columns - i))]);
      values[row * columns + order[static_cast<std::size_t>(i)]] = static_cast<float>(draw());
    }
  }
  return t;
}

Tensor sparse(const Shape& shape, Size links, double deviation, Rng& rng) {
  if (!(deviation > 0 && std::isfinite(deviation))) {
    fail<OptionError>("init::sparse: deviation {}; it must be positive and finite", deviation);
  }
  return sparse(
      shape, links, [&] { return deviation * rng.normal(); }, rng);
}

Tensor per_gate(Size gates, const Shape& shape, const std::function<Tensor(const Shape&)>& draw) {
  if (gates < 1) fail<OptionError>("init::per_gate: {} gates; at least 1 is needed", gates);
  if (shape.rank() == 0 || shape[0] % gates != 0) {
    fail<ShapeError>("init::per_gate: shape {} for {} gates; the rows must be a multiple of them",
                     shape, gates);
  }
  Shape block = shape;
  block.set(0, shape[0] / gates);
  std::vector<Variable> parts;
  for (Size gate = 0; gate < gates; ++gate) {
    const Tensor part = draw(block);
    if (part.shape() != block) {
      fail<ShapeError>("init::per_gate: gate {} has the shape {}; {} is needed", gate, part.shape(),
                       block);
    }
    parts.emplace_back(part);
  }
  return concat(parts, 0).value();
}

Tensor chrono(Size hidden, Size longest, Rng& rng) {
  if (longest < 2) {
    fail<OptionError>("init::chrono: the longest memory is of {} time steps; at least 2 are needed",
                      longest);
  }
  const Tensor t = zeros({hidden});
  float* values = t.data<float>();
  for (Size i = 0; i < hidden; ++i) {
    values[i] = static_cast<float>(std::log(rng.uniform(1, static_cast<double>(longest - 1))));
  }
  return t;
}

Tensor chrono_lstm(Size hidden, Size longest, Rng& rng) {
  const Variable keep(chrono(hidden, longest, rng)), zero(zeros({hidden}));
  return concat({-keep, keep, zero, zero}, 0).value();
}

PascanuWeights pascanu(Pascanu scheme, const PascanuSizes& sizes, Rng& rng) {
  const auto& [input, hidden, output] = sizes;
  if (std::min({input, hidden, output}) < 1) {
    fail<OptionError>("init::pascanu: input {}, hidden {}, output {}; each must be at least 1",
                      input, hidden, output);
  }
  const double deviation = scheme == Pascanu::basic_tanh ? 0.1 : 0.01;
  PascanuWeights w;
  w.weight_ih = normal({hidden, input}, deviation, rng);
  if (scheme == Pascanu::smart_tanh) {
    const Size links = std::min(kPascanuLinks, hidden);
    w.weight_hh =
        with_spectral_radius(sparse({hidden, hidden}, links, deviation, rng), kPascanuRadius);
  } else {
    w.weight_hh = normal({hidden, hidden}, deviation, rng);
  }
  w.weight_ho = normal({output, hidden}, deviation, rng);
  return w;
}

}  // namespace hindsight::nn::init
