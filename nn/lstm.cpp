#include <hindsight/autograd/ops/layer_norm.h>
#include <hindsight/nn/lstm.h>

namespace hindsight::nn {
namespace {

void check_options(Size hidden, const LstmOptions& options) {
  if (options.projection < 0 || options.projection >= hidden) {
    fail<OptionError>("LstmCell: projection {} is outside of [0, {})", options.projection, hidden);
  }
  if (options.coupled && !options.forget_gate)
    fail<OptionError>("LstmCell: coupled needs forget_gate, which is false");
  if (!options.forget_bias) return;
  const double value = *options.forget_bias;
  if (!options.bias || !options.forget_gate || options.coupled) {
    fail<OptionError>("LstmCell: forget_bias {} needs biases and a forget gate of its own", value);
  }
  if (!std::isfinite(value))
    fail<OptionError>("LstmCell: forget_bias {}; a finite number is needed", value);
}

/// The sizes of the parameters, made only of options that are allowed.
template <class Sizes>
Sizes checked_sizes(Size input, Size hidden, const LstmOptions& options) {
  check_options(hidden, options);
  const Size gates = options.forget_gate && !options.coupled ? 4 : 3;
  return {gates, input, hidden, options.projection ? options.projection : hidden, options.bias};
}

}  // namespace

LstmCell::LstmCell(Size input, Size hidden, Rng& rng, const LstmOptions& options)
    : GatedCell(checked_sizes<Sizes>(input, hidden, options), rng),
      hidden_(hidden),
      output_(weight_hh.shape()[1]),
      forget_gate_(options.forget_gate && !options.coupled),
      coupled_(options.coupled) {
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  if (options.projection)
    weight_hr = parameter("weight_hr", init::uniform({output_, hidden}, bound, rng));
  if (options.peephole) {
    const Size gates = forget_gate_ ? 3 : 2;
    weight_peephole = parameter("weight_peephole", init::uniform({gates * hidden}, bound, rng));
  }
  if (options.layer_norm) declare_norms();
  for (Size unit = 0; options.forget_bias && unit < hidden; ++unit) {
    bias_ih.value().set(hidden + unit, *options.forget_bias);
    bias_hh.value().set(hidden + unit, 0);
  }
}

void LstmCell::declare_norms() {
  const Shape gates{weight_hh.shape()[0]}, units{hidden_};
  norm_ih_weight = parameter("norm_ih_weight", init::constant(gates, 1));
  norm_ih_bias = parameter("norm_ih_bias", init::zeros(gates));
  norm_hh_weight = parameter("norm_hh_weight", init::constant(gates, 1));
  norm_hh_bias = parameter("norm_hh_bias", init::zeros(gates));
  norm_c_weight = parameter("norm_c_weight", init::constant(units, 1));
  norm_c_bias = parameter("norm_c_bias", init::zeros(units));
}

Variable LstmCell::project(const Variable& inputs) const {
  if (!norm_ih_weight) return GatedCell::project(inputs);
  return normalized_inputs(matmul(inputs, transpose(weight_ih)));
}

Variable LstmCell::project(const Indices& symbols) const {
  if (!norm_ih_weight) return GatedCell::project(symbols);
  const Variable table = transpose(weight_ih);  // normalized as a whole or by row: the fewer rows
  if (table.size(0) <= symbols.elements()) return take(normalized_inputs(table), symbols);
  return normalized_inputs(take(table, symbols));
}

/// The layer norm of x W_ih^T, plus the biases, which are added to its shift.
Variable LstmCell::normalized_inputs(const Variable& product) const {
  if (!bias_ih) return layer_norm(product, norm_ih_weight, norm_ih_bias);
  return layer_norm(product, norm_ih_weight, norm_ih_bias + bias_ih + bias_hh);
}

Variable LstmCell::recurrent_product(const State& state) const {
  const Variable product = matmul(state.recurrent(), transpose(weight_hh));
  return norm_hh_weight ? layer_norm(product, norm_hh_weight, norm_hh_bias) : product;
}

Variable LstmCell::peephole(Size which) const {
  return slice(weight_peephole, 0, which * hidden_, hidden_);
}

State LstmCell::step(const Variable& px, const State& state) const {
  const Variable& c = state[1];
  const auto gates = px + recurrent_product(state);
  if (forget_gate_) {
    const auto [i, f, g, o] = chunk<4>(gates);
    if (!weight_peephole) return next_state(o, sigmoid(f) * c + sigmoid(i) * tanh(g));
    return next_state(o, sigmoid(f + peephole(1) * c) * c + sigmoid(i + peephole(0) * c) * tanh(g));
  }
  const auto next_c = [&](const auto& i, const auto& g) {
    return coupled_ ? Variable(c + sigmoid(i) * (tanh(g) - c)) : Variable(c + sigmoid(i) * tanh(g));
  };
  const auto [i, g, o] = chunk<3>(gates);
  return next_state(o, weight_peephole ? next_c(i + peephole(0) * c, g) : next_c(i, g));
}

/// The state with c, which is the next one.
template <class O>
State LstmCell::next_state(const O& o, const Variable& c) const {
  const Variable read = norm_c_weight ? layer_norm(c, norm_c_weight, norm_c_bias) : c;
  const Variable h = weight_peephole
                         ? Variable(sigmoid(o + peephole(forget_gate_ ? 2 : 1) * c) * tanh(read))
                         : Variable(sigmoid(o) * tanh(read));
  return {weight_hr ? matmul(h, transpose(weight_hr)) : h, c};
}

Widths LstmCell::state_sizes() const { return {output_, hidden_}; }

}  // namespace hindsight::nn
