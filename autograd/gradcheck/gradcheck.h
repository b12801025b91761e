#pragma once
#include <hindsight/autograd/gradcheck/report.h>
#include <hindsight/autograd/tape/tape.h>

namespace hindsight {

/// Compares the tape's gradients with central differences in float64. `f` computes a value from the
/// inputs and from parameters it knows; the elements of a value that is not a scalar are summed
/// with fixed random weights. float32 inputs and parameters are converted for the check; parameters
/// are restored afterwards, also when f throws. A value that is not finite, or differs when
/// recomputed, fails the check with a cause that says so. The gradient is also computed at another
/// point, so that one reused from an earlier call is noticed. TapeError when f's value depends on
/// none of the inputs and parameters; OptionError for options outside of their range.
CheckReport check_gradients(const std::function<Variable(const std::vector<Variable>&)>& f,
                            const std::vector<Tensor>& inputs,
                            const std::vector<Parameter>& parameters = {},
                            const CheckOptions& options = {});

/// The same for a function of parameters alone.
CheckReport check_gradients(const std::function<Variable()>& f,
                            const std::vector<Parameter>& parameters,
                            const CheckOptions& options = {});

}  // namespace hindsight
