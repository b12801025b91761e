#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/sru.h>

#include <cmath>

namespace hindsight::nn {

SruCell::SruCell(Size input, Size hidden, Rng& rng, const SruOptions& options)
    : LinearCell(hidden),
      alpha_(options.rescale ? std::sqrt(1 + 2 * std::exp(options.highway_bias)) : 1),
      projects_input_(input != hidden) {
  if (!std::isfinite(alpha_) || !std::isfinite(options.highway_bias)) {
    fail<OptionError>("SruCell: highway_bias {} is not a finite number of moderate size",
                      options.highway_bias);
  }
  const Size products = projects_input_ ? 4 : 3;
  const Tensor weight = init::lecun_uniform({Shape{products, hidden}.elements(), input}, rng);
  const double gate = options.gates_see_state ? std::sqrt(0.5) : 1;
  const double scales[] = {1, gate, gate, alpha_};
  for (Size i = 0; i < weight.elements(); ++i)
    weight.set(i, weight.at(i) * scales[i / (hidden * input)]);
  weight_ih = parameter("weight_ih", weight);
  const Tensor biases = init::zeros({2 * hidden});
  for (Size i = hidden; i < 2 * hidden; ++i) biases.set(i, options.highway_bias);
  bias = parameter("bias", biases);
  if (options.gates_see_state)
    weight_c = parameter("weight_c", init::uniform({2 * hidden}, std::sqrt(1.5), rng));
}

// px: W x, W_f x, W_r x, x~.
Variable SruCell::project(const Variable& inputs) const {
  const Variable products = matmul(inputs, transpose(weight_ih));
  return projects_input_ ? products : concat({products, alpha_ * inputs}, -1);
}

Variable SruCell::project(const Indices& symbols) const {
  const Variable products = take(transpose(weight_ih), symbols);
  if (projects_input_) return products;
  return concat({products, alpha_ * Variable(one_hot(symbols, width(), products.dtype()))}, -1);
}

// If the gates see the state, the output needs the state before the step, too: the step computes
// it, in the place that is made for it here.
State SruCell::begin(const State& initial) const {
  State state = initial;
  if (weight_c) state.push_back(initial[0]);
  return state;
}

State SruCell::step(const Variable& px, const State& state) const {
  if (!weight_c) return LinearCell::step(px, state);
  const auto [w, f, r, x] = chunk<4>(px);
  const auto [b_f, b_r] = chunk<2>(bias);
  const auto [v_f, v_r] = chunk<2>(weight_c);
  const Variable& seen = state.recurrent();
  const Variable c = w + sigmoid(f + v_f * seen + b_f) * (state[0] - w);
  return {c, x + sigmoid(r + v_r * seen + b_r) * (c - x)};
}

LinearCell::Coefficients SruCell::coefficients(const Variable& px, const State&) const {
  const auto [w, f, r, x] = chunk<4>(px);
  const Variable forget = sigmoid(f + slice(bias, 0, 0, width()));
  return {forget, (1 - forget) * w};
}

Variable SruCell::output(const Variable& px, const State& next) const {
  if (weight_c) return next[1];
  const auto [w, f, r, x] = chunk<4>(px);
  return x + sigmoid(r + slice(bias, 0, width(), width())) * (next[0] - x);
}

}  // namespace hindsight::nn
