#include <hindsight/nn/gate_layout.h>
#include <hindsight/nn/gru.h>
#include <hindsight/nn/keras.h>
#include <hindsight/nn/lstm.h>
#include <hindsight/nn/rnn.h>

namespace hindsight::nn::keras {
namespace {

using detail::Assignments;
using detail::GateLayout;

constexpr const char* kAssign = "keras::assign";
constexpr const char* kWeights = "keras::weights";

/// A cell, and what Keras has for it.
struct Layer {
  const GatedCell& cell;
  GateLayout gates;
  bool two_biases = false;  ///< a row for the input and one for the state

  Size width() const { return cell.weight_ih.shape()[0]; }
  Size input() const { return cell.weight_ih.shape()[1]; }
  Shape bias_shape() const { return two_biases ? Shape{2, width()} : Shape{width()}; }
};

Layer known_layer(const char* caller, const Cell& cell) {
  if (const auto* rnn = dynamic_cast<const RnnCell*>(&cell)) return {*rnn, {1, {0}}};
  if (const auto* gru = dynamic_cast<const GruCell*>(&cell))
    return {*gru, {3, {1, 0, 2}}, gru->reset_after()};
  const auto* lstm = dynamic_cast<const LstmCell*>(&cell);
  if (!lstm) fail<OptionError>("{}: the cell is not an RnnCell, LstmCell or GruCell", caller);
  if (lstm->weight_ih.shape()[0] != 4 * lstm->state_sizes()[1])
    fail<OptionError>("{}: the LSTM has three gates; those of Keras have four", caller);
  return {*lstm, {4, {0, 1, 2, 3}}};
}

Layer layer_of(const char* caller, const Cell& cell) {
  Layer layer = known_layer(caller, cell);
  const GatedCell& gated = layer.cell;
  detail::check_known(caller, cell,
                      {gated.weight_ih, gated.weight_hh, gated.bias_ih, gated.bias_hh});
  return layer;
}

void check_reset(const Layer& layer, const Tensor& bias) {
  const Size width = layer.width();
  const Shape other = layer.two_biases ? Shape{width} : Shape{2, width};
  if (!layer.cell.bias_ih || layer.gates.blocks != 3 || !bias || bias.shape() != other) return;
  fail<ShapeError>(
      "{}: bias is {}; {} is needed for parameter {}: reset_after is {} in the network", kAssign,
      other, layer.bias_shape(), layer.cell.bias_ih.name(), layer.two_biases);
}

void plan_bias(const Layer& layer, const Tensor& bias, Assignments* plan) {
  const GatedCell& cell = layer.cell;
  check_reset(layer, bias);
  if (!plan->check("bias", bias, cell.bias_ih, layer.bias_shape())) return;
  const Variable gates = layer.gates.ours(bias, bias.rank() - 1);
  plan->add(cell.bias_ih, layer.two_biases ? gates[0] : gates);
  plan->add(cell.bias_hh,
            layer.two_biases ? gates[1] : Variable(Tensor::zeros({layer.width()}, bias.dtype())));
}

void plan_cell(const Layer& layer, const Weights& weights, Assignments* plan) {
  const auto& [cell, gates, two_biases] = layer;
  const Size width = layer.width();
  plan->check("kernel", weights.kernel, cell.weight_ih, {layer.input(), width});
  plan->check("recurrent_kernel", weights.recurrent_kernel, cell.weight_hh,
              {width / static_cast<Size>(gates.order.size()), width});
  plan->add(cell.weight_ih, transpose(gates.ours(weights.kernel, 1)));
  plan->add(cell.weight_hh, transpose(gates.ours(weights.recurrent_kernel, 1)));
  plan_bias(layer, weights.bias, plan);
}

Tensor exported_bias(const Layer& layer) {
  if (!layer.cell.bias_ih) return {};
  const Variable input = layer.cell.bias_ih.value(), state = layer.cell.bias_hh.value();
  const Variable bias = layer.two_biases ? stack({input, state}) : Variable(input + state);
  return layer.gates.theirs(bias, bias.rank() - 1).value().contiguous_copy();
}

Tensor transposed(const Parameter& parameter) {
  return transpose(Variable(parameter.value())).value().contiguous_copy();
}

}  // namespace

Weights take(WeightSource* source, const std::string& prefix) {
  return {source->take(prefix + "/kernel"), source->take_if_present(prefix + "/recurrent_kernel"),
          source->take_if_present(prefix + "/bias")};
}

void assign(const Cell& cell, const Weights& weights) {
  Assignments plan(kAssign);
  plan_cell(layer_of(kAssign, cell), weights, &plan);
  plan.apply();
}

void assign(const Unroller& network, const std::vector<Weights>& weights) {
  const auto& cells = network.cells();
  detail::check_count(kAssign, weights.size(), cells.size(), "cells");
  detail::check_cells_only(kAssign, network);
  Assignments plan(kAssign);
  for (std::size_t i = 0; i < cells.size(); ++i)
    plan_cell(layer_of(kAssign, *cells[i]), weights[i], &plan);
  plan.apply();
}

void assign(const Linear& linear, const Weights& weights) {
  const Shape& shape = linear.weight.shape();
  Assignments plan(kAssign);
  plan.check("kernel", weights.kernel, linear.weight, {shape[1], shape[0]});
  plan.check("recurrent_kernel", weights.recurrent_kernel, {}, {});
  plan.add(linear.weight, transpose(Variable(weights.kernel)));
  if (plan.check("bias", weights.bias, linear.bias, {shape[0]}))
    plan.add(linear.bias, weights.bias);
  plan.apply();
}

Weights weights(const Cell& cell) {
  const Layer layer = layer_of(kWeights, cell);
  const auto columns = [&](const Parameter& weight) {
    return layer.gates.theirs(transposed(weight), 1).value().contiguous_copy();
  };
  return {columns(layer.cell.weight_ih), columns(layer.cell.weight_hh), exported_bias(layer)};
}

std::vector<Weights> weights(const Unroller& network) {
  std::vector<Weights> result;
  detail::check_cells_only(kWeights, network);
  for (const auto& cell : network.cells()) result.push_back(weights(*cell));
  return result;
}

Weights weights(const Linear& linear) {
  return {transposed(linear.weight),
          {},
          linear.bias ? linear.bias.value().contiguous_copy() : Tensor()};
}

}  // namespace hindsight::nn::keras
