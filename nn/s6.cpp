#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/reduce.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/s6.h>

#include <algorithm>
#include <cmath>

namespace hindsight::nn {
namespace {

constexpr double kSmallestDelta = 1e-4;  // as in the authors' code

/// The options with R, checked before parameters are made with them.
S6Options checked(Size hidden, S6Options options) {
  if (options.states < 1)
    fail<OptionError>("S6Cell: states {}; at least 1 is needed", options.states);
  if (options.rank < 0) fail<OptionError>("S6Cell: rank {} is below 0", options.rank);
  if (!(0 < options.delta_min && options.delta_min <= options.delta_max &&
        std::isfinite(options.delta_max))) {
    fail<OptionError>("S6Cell: delta_min {} and delta_max {}; 0 < delta_min <= delta_max is needed",
                      options.delta_min, options.delta_max);
  }
  if (options.rank == 0) options.rank = (hidden + 15) / 16;
  return options;
}

/// b with softplus(b) log-uniform between the options' bounds.
Tensor delta_bias(Size hidden, Rng& rng, const S6Options& options) {
  const Tensor bias({hidden}, DType::f32);
  for (Size i = 0; i < hidden; ++i) {
    const double delta =
        std::max(kSmallestDelta,
                 std::exp(rng.uniform(std::log(options.delta_min), std::log(options.delta_max))));
    bias.set(i, delta + std::log(-std::expm1(-delta)));
  }
  return bias;
}

}  // namespace

S6Cell::S6Cell(Size input, Size hidden, Rng& rng, const S6Options& options)
    : S6Cell(Sizes{input, hidden}, rng, checked(hidden, options)) {}

S6Cell::S6Cell(const Sizes& n, Rng& rng, const S6Options& options)
    : LinearCell(Shape{n.hidden, options.states}.elements()),
      in_proj(child("in_proj", Linear({n.input, 2 * n.hidden, false}, rng))),
      x_proj(child("x_proj", Linear({n.hidden, options.rank + 2 * options.states, false}, rng))),
      dt_proj(child("dt_proj", Linear({options.rank, n.hidden}, rng))),
      hidden_(n.hidden),
      states_(options.states) {
  dt_proj.bias.assign(delta_bias(hidden_, rng, options));
  const Tensor rates({hidden_, states_}, DType::f32);
  for (Size i = 0; i < rates.elements(); ++i)
    rates.set(i, std::log(static_cast<double>(i % states_ + 1)));
  A_log = parameter("A_log", rates);
  D = parameter("D", init::constant({hidden_}, 1));
}

// px: delta, u, z, B, C.
Variable S6Cell::project(const Variable& inputs) const {
  const auto [u_in, z] = chunk<2>(in_proj(inputs));
  const Variable u = silu(u_in), all = x_proj(u);
  const Size rank = all.shape().back() - 2 * states_;
  const Variable delta = softplus(dt_proj(slice(all, -1, 0, rank)));
  return concat({delta, u, z, slice(all, -1, rank, 2 * states_)}, -1);
}

State S6Cell::begin(const State& initial) const {
  State state = initial;
  state.push_back(unsqueeze(Variable(-exp(transpose(A_log))), 0));  // (1, N, H)
  return state;
}

LinearCell::Coefficients S6Cell::coefficients(const Variable& px, const State& state) const {
  const Variable delta = slice(px, -1, 0, hidden_), u = slice(px, -1, hidden_, hidden_),
                 b = slice(px, -1, 3 * hidden_, states_);
  const Variable decay = exp(unsqueeze(delta, -2) * state[1]),
                 drive = matmul(unsqueeze(b, -1), unsqueeze(Variable(delta * u), -2));
  Shape shape = px.shape();
  shape.set(px.rank() - 1, width());
  return {reshape(decay, shape), reshape(drive, shape)};
}

Variable S6Cell::output(const Variable& px, const State& next) const {
  const Variable u = slice(px, -1, hidden_, hidden_), z = slice(px, -1, 2 * hidden_, hidden_),
                 c = slice(px, -1, 3 * hidden_ + states_, states_);
  Shape shape = px.shape();
  shape.set(px.rank() - 1, states_);
  shape.insert(px.rank(), hidden_);
  const Variable y = squeeze(matmul(unsqueeze(c, -2), reshape(next[0], shape)), -2);
  return (y + D * u) * silu(z);
}

}  // namespace hindsight::nn
