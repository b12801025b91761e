#pragma once
#include <hindsight/nn/nn.h>

#include <functional>

#include "case.h"

namespace hindsight::conformance {

using NamedVariables = std::vector<std::pair<std::string, Variable>>;
using NamedParameters = std::vector<std::pair<std::string, Parameter>>;

/// Runs `f` on the case's inputs of these names and compares every output, then dL/d input and dL/d
/// parameter by each kind of sweep in the library, and the second derivatives that the file holds.
void check_derivatives(Case& c, const std::vector<std::string>& inputs,
                       const NamedParameters& parameters,
                       const std::function<NamedVariables(const std::vector<Variable>&)>& f);

/// Assigns the file's `param.` tensors to the module, in float64. A name missing on either side is
/// noted as a difference.
void assign_parameters(Case& c, const nn::Module& module, const std::string& prefix,
                       const std::string& suffix);

}  // namespace hindsight::conformance
