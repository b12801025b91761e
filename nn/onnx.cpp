#include <hindsight/nn/gate_layout.h>
#include <hindsight/nn/gru.h>
#include <hindsight/nn/lstm.h>
#include <hindsight/nn/onnx.h>
#include <hindsight/nn/rnn.h>

namespace hindsight::nn::onnx {
namespace {

using detail::Assignments;
using detail::GateLayout;

constexpr const char* kAssign = "onnx::assign";
constexpr const char* kWeights = "onnx::weights";

/// A cell, and what ONNX has for it.
struct Direction {
  const GatedCell& cell;
  GateLayout gates;
  Parameter peephole = {};
  GateLayout peephole_order = {0, {}};
  bool input_forget = false, linear_before_reset = false;

  Size width() const { return gates.blocks * cell.weight_ih.shape()[0] / ours(); }
  Size hidden() const { return cell.weight_ih.shape()[0] / ours(); }
  Size ours() const { return static_cast<Size>(gates.order.size()); }
};

Direction known_direction(const char* caller, const Cell& cell) {
  if (const auto* rnn = dynamic_cast<const RnnCell*>(&cell)) return {*rnn, {1, {0}}};
  if (const auto* gru = dynamic_cast<const GruCell*>(&cell)) {
    Direction direction{*gru, {3, {1, 0, 2}}};
    direction.linear_before_reset = gru->reset_after();
    return direction;
  }
  const auto* lstm = dynamic_cast<const LstmCell*>(&cell);
  if (!lstm) fail<OptionError>("{}: the cell is not an RnnCell, LstmCell or GruCell", caller);
  const bool four = lstm->weight_ih.shape()[0] == 4 * lstm->state_sizes()[1];
  if (!four && !lstm->coupled())
    fail<OptionError>("{}: the LSTM has no forget gate; those of ONNX have one", caller);
  if (four) return {*lstm, {4, {0, 2, 3, 1}}, lstm->weight_peephole, {3, {0, 2, 1}}};
  return {*lstm, {4, {0, 3, 1}}, lstm->weight_peephole, {3, {0, 1}}, true};
}

Direction direction_of(const char* caller, const Cell& cell) {
  Direction direction = known_direction(caller, cell);
  const GatedCell& gated = direction.cell;
  detail::check_known(
      caller, cell,
      {gated.weight_ih, gated.weight_hh, gated.bias_ih, gated.bias_hh, direction.peephole});
  return direction;
}

/// A tensor's part of one direction, after its shape was checked.
Variable part(const Tensor& tensor, std::size_t d) {
  return Variable(tensor)[static_cast<Size>(d)];
}

void check_attribute(const char* name, bool given, bool wanted, const char* option) {
  if (given == wanted) return;
  fail<OptionError>("{}: {} is {}, and the cell was made with {} {}", kAssign, name, given, option,
                    wanted);
}

void plan_direction(const Direction& direction, const Weights& weights, std::size_t d, Size count,
                    Assignments* plan) {
  const auto& cell = direction.cell;
  const Size width = direction.width();
  check_attribute("input_forget", weights.input_forget, direction.input_forget, "coupled");
  check_attribute("linear_before_reset", weights.linear_before_reset, direction.linear_before_reset,
                  "reset_after");
  plan->check("W", weights.W, cell.weight_ih, {count, width, cell.weight_ih.shape()[1]});
  plan->check("R", weights.R, cell.weight_hh, {count, width, direction.hidden()});
  plan->add(cell.weight_ih, direction.gates.ours(part(weights.W, d), 0));
  plan->add(cell.weight_hh, direction.gates.ours(part(weights.R, d), 0));
  if (plan->check("B", weights.B, cell.bias_ih, {count, 2 * width})) {
    const Variable both = part(weights.B, d);
    plan->add(cell.bias_ih, direction.gates.ours(slice(both, 0, 0, width), 0));
    plan->add(cell.bias_hh, direction.gates.ours(slice(both, 0, width, width), 0));
  }
  if (plan->check("P", weights.P, direction.peephole, {count, 3 * direction.hidden()}))
    plan->add(direction.peephole, direction.peephole_order.ours(part(weights.P, d), 0));
}

/// The tensors of one direction.
Weights exported(const Direction& direction) {
  const auto& cell = direction.cell;
  const auto rows = [&](const Parameter& parameter) {
    return direction.gates.theirs(parameter.value(), 0);
  };
  Weights result;
  result.W = rows(cell.weight_ih).value();
  result.R = rows(cell.weight_hh).value();
  if (cell.bias_ih) result.B = concat({rows(cell.bias_ih), rows(cell.bias_hh)}, 0).value();
  if (direction.peephole)
    result.P = direction.peephole_order.theirs(direction.peephole.value(), 0).value();
  result.input_forget = direction.input_forget;
  result.linear_before_reset = direction.linear_before_reset;
  return result;
}

/// (D, ...), of the directions of a layer.
Tensor stacked(const std::vector<Weights>& layer, Tensor Weights::*tensor) {
  if (!(layer.front().*tensor)) return {};
  std::vector<Variable> parts;
  for (const Weights& direction : layer) parts.emplace_back(direction.*tensor);
  return stack(parts).value().contiguous_copy();
}

}  // namespace

void assign(const Unroller& network, const std::vector<Weights>& weights) {
  const auto& cells = network.cells();
  const std::size_t count = network.options().bidirectional ? 2 : 1;
  detail::check_count(kAssign, weights.size(), cells.size() / count, "layers");
  detail::check_cells_only(kAssign, network);
  Assignments plan(kAssign);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    plan_direction(direction_of(kAssign, *cells[i]), weights[i / count], i % count,
                   static_cast<Size>(count), &plan);
  }
  plan.apply();
}

std::vector<Weights> weights(const Unroller& network) {
  const auto& cells = network.cells();
  const std::size_t count = network.options().bidirectional ? 2 : 1;
  std::vector<Weights> result;
  detail::check_cells_only(kWeights, network);
  for (std::size_t i = 0; i < cells.size(); i += count) {
    std::vector<Weights> layer;
    for (std::size_t d = 0; d < count; ++d)
      layer.push_back(exported(direction_of(kWeights, *cells[i + d])));
    Weights node = layer.front();
    for (Tensor Weights::*tensor : {&Weights::W, &Weights::R, &Weights::B, &Weights::P})
      node.*tensor = stacked(layer, tensor);
    result.push_back(node);
  }
  return result;
}

}  // namespace hindsight::nn::onnx
