#include <hindsight/autograd/inspect/finite_checks.h>
#include <hindsight/autograd/tape/parameter_use.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>

#include <cmath>
#include <utility>

namespace hindsight {
namespace {

thread_local bool checking = false;

/// The first element that is not finite.
struct Finding {
  double value;
  std::string index;  // "[2, 0]"
  std::string where;  // ", in layer 0, time step 3, batch row 2"
};

std::string where_of(Size position, const Shape& shape) {
  const std::vector<Size> index = indices_of(position, shape);
  const ScopePath& place = ScopePath::current();
  std::string where = place ? ", in " + place.to_string() : "";
  if (place.time_step() != ScopePath::kNoStep && shape.rank() >= 2) {
    where += fmt::format(", batch row {}", index[0]);
  } else if (place && shape.rank() == 3) {  // (T, B, features)
    where += fmt::format(", step {} of these, batch row {}", index[0], index[1]);
  }
  return where;
}

Finding first_of(const Tensor& values) {
  Size position = 0;
  while (std::isfinite(values.at(position))) ++position;
  return {values.at(position), index_text(position, values.shape()),
          where_of(position, values.shape())};
}

/// The names of the parameters that an operation reads: " (it reads weight_hh_l0)".
std::string parameters_of(const Operation& operation) {
  std::string names;
  const auto [inputs, count] = operation.inputs();
  for (int i = 0; i < count; ++i) {
    if (const Parameter* parameter = parameter_of(inputs[i]))
      names += (names.empty() ? "" : ", ") + parameter->name();
  }
  return names.empty() ? "" : fmt::format(" (it reads {})", names);
}

}  // namespace

FiniteChecks::FiniteChecks() : outer_checks_(std::exchange(checking, true)) {}
FiniteChecks::~FiniteChecks() { checking = outer_checks_; }

bool finite_checks() { return checking; }

void FiniteChecks::computed(const char* op, const Variable& output) {
  if (all_finite(output.value())) return;
  const Finding found = first_of(output.value());
  const Tape* tape = Tape::current();
  const Operation* last = tape ? tape->newest() : nullptr;
  const bool recorded = last && last->output().node() == output.node();
  fail<NonFiniteError>("{}: produced {} at {} of its output of shape {}{}{}", op, found.value,
                       found.index, output.shape(), found.where,
                       recorded ? parameters_of(*last) : "");
}

void FiniteChecks::swept(const Operation& operation, bool in_memory) {
  if (!in_memory) return;  // a recorded sweep consists of operations, which are checked
  const auto [inputs, count] = operation.inputs();
  for (int i = 0; i < count; ++i) {
    const Operand& input = inputs[i];
    if (!input.needs_gradient() || !input.node()->has_gradient()) continue;
    const Tensor gradient = ReverseSweep::gradient(input);
    if (all_finite(gradient)) continue;
    const Finding found = first_of(gradient);
    const Parameter* parameter = parameter_of(input);
    fail<NonFiniteError>("{}: in backward, the gradient of {} has {} at {} of its shape {}{}",
                         operation.name(),
                         parameter ? "parameter " + parameter->name() : fmt::format("input {}", i),
                         found.value, found.index, gradient.shape(), found.where);
  }
}

void FiniteChecks::flushed(const ParameterUse& use, bool) {
  Node* leaf = use.leaf;
  if (!leaf->needs_gradient || !leaf->has_gradient()) return;
  const Tensor gradient = leaf->gradient->read(leaf->shape(), leaf->dtype);
  if (all_finite(gradient)) return;
  const Finding found = first_of(gradient);
  fail<NonFiniteError>(
      "matmul: in backward, the gradient of parameter {} has {} at {} of its shape {}",
      use.parameter.name(), found.value, found.index, gradient.shape());
}

}  // namespace hindsight
