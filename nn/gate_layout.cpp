#include <hindsight/nn/gate_layout.h>

#include <algorithm>

namespace hindsight::nn::detail {

Variable GateLayout::ours(const Variable& theirs, int axis) const {
  const Size width = theirs.size(axis) / blocks;
  std::vector<Variable> parts;
  for (Size block : order) parts.push_back(slice(theirs, axis, block * width, width));
  return concat(parts, axis);
}

Variable GateLayout::theirs(const Variable& ours, int axis) const {
  const Size width = ours.size(axis) / static_cast<Size>(order.size());
  Shape shape = ours.shape();
  shape.set(axis, width);
  const Variable zeros = Tensor::zeros(shape, ours.dtype());
  std::vector<Variable> parts(static_cast<std::size_t>(blocks), zeros);
  for (std::size_t k = 0; k < order.size(); ++k) {
    parts[static_cast<std::size_t>(order[k])] =
        slice(ours, axis, static_cast<Size>(k) * width, width);
  }
  return concat(parts, axis);
}

bool Assignments::check(const char* name, const Tensor& tensor, const Parameter& parameter,
                        const Shape& wanted) const {
  if (!parameter && !tensor) return false;
  if (!parameter) {
    fail("{}: {} is left over: the network's options leave out the parameter for it", library_,
         name);
  }
  if (!tensor)
    fail("{}: {} is missing, which parameter {} needs", library_, name, parameter.name());
  if (tensor.shape() == wanted) return true;
  const bool is_transposed = wanted.rank() == 2 && tensor.shape() == Shape{wanted[1], wanted[0]};
  fail<ShapeError>("{}: {} is {}; {} is needed for parameter {}{}", library_, name, tensor.shape(),
                   wanted, parameter.name(), is_transposed ? ": transpose it" : "");
}

void Assignments::add(const Parameter& parameter, const Variable& value) {
  values_.emplace_back(parameter, value.value());
}

void Assignments::apply() {
  for (auto& [parameter, value] : values_) parameter.assign(value);
}

void check_known(std::string_view library, const Module& module,
                 const std::vector<Parameter>& known) {
  for (const Parameter& parameter : module.parameters()) {
    const auto same = [&](const Parameter& other) { return other.data() == parameter.data(); };
    if (std::none_of(known.begin(), known.end(), same)) {
      fail<OptionError>("{}: parameter {} has no counterpart in the other library", library,
                        parameter.name());
    }
  }
}

void check_cells_only(std::string_view library, const Unroller& network) {
  std::vector<Parameter> of_cells;
  for (const auto& cell : network.cells()) {
    for (const Parameter& parameter : cell->parameters()) of_cells.push_back(parameter);
  }
  check_known(library, network, of_cells);
}

void check_count(std::string_view library, std::size_t given, std::size_t wanted,
                 const char* what) {
  if (given == wanted) return;
  fail("{}: weights of {} {} are given, and the network has {}", library, given, what, wanted);
}

}  // namespace hindsight::nn::detail
