#include "derivatives.h"

namespace hindsight::conformance {

void check_derivatives(Case& c, const std::vector<std::string>& inputs,
                       const NamedParameters& parameters,
                       const std::function<NamedVariables(const std::vector<Variable>&)>& f) {
  Tape tape;
  std::vector<Variable> leaves;
  std::vector<std::string> names = inputs;
  for (const std::string& name : inputs) leaves.push_back(tape.watch(c.tensor(name)));
  const NamedVariables outputs = f(leaves);
  c.options.finish();  // before comparing results that an unknown option may have changed
  for (const auto& [name, parameter] : parameters) {
    leaves.push_back(parameter);
    names.push_back("param." + name);
  }

  std::vector<Variable> values;
  GradientOptions how;
  for (const auto& [name, value] : outputs) {
    c.compare(name, value.value());
    const Tensor cotangent = c.tensor("cotangent." + name);
    if (cotangent.shape() != value.shape()) return;  // compare() has noted it
    values.push_back(value);
    how.cotangents.emplace_back(cotangent);
  }

  const std::vector<Variable> plain = tape.gradient(values, leaves, how);
  for (std::size_t i = 0; i < leaves.size(); ++i) c.compare("grad." + names[i], plain[i].value());

  // The same sweep recorded, and the derivative of <gradient, tangent>.
  if (!c.names_after("second.").empty()) {
    how.create_graph = true;
    const std::vector<Variable> recorded = tape.gradient(values, leaves, how);
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      c.compare("grad." + names[i], recorded[i].value(), "recorded");
      if (!c.has("second." + names[i])) continue;
      const Variable along = sum(recorded[i] * Variable(c.tensor("tangent." + names[i])));
      c.compare("second." + names[i], tape.gradient(along, {leaves[i]})[0].value());
    }
  }

  // The sweep of training, which adds to the parameters' gradients and consumes the tape.
  if (parameters.empty()) return;
  Variable loss = sum(values[0] * how.cotangents[0]);
  for (std::size_t i = 1; i < values.size(); ++i) loss = loss + sum(values[i] * how.cotangents[i]);
  tape.backward(loss);
  for (const auto& [name, parameter] : parameters) {
    c.compare("grad.param." + name, parameter.gradient(), "backward");
  }
}

void assign_parameters(Case& c, const nn::Module& module, const std::string& prefix,
                       const std::string& suffix) {
  module.to(DType::f64);
  for (auto& [name, parameter] : module.named_parameters()) {
    const std::string stored = prefix + name + suffix;
    if (!c.has(stored)) fail<Error>("the file lacks {}, which the module has", stored);
    parameter.assign(c.tensor(stored));
  }
}

}  // namespace hindsight::conformance
