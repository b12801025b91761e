#pragma once
#include <hindsight/autograd/gradcheck/report.h>
#include <hindsight/autograd/tape/tape.h>

namespace hindsight {

/// Compares the tape's gradients with central differences in double. `f` computes a value from the
/// inputs and from parameters it knows; a value that is no scalar is weighted with fixed random
/// numbers. float32 parameters and inputs are converted for the check and put back afterwards, also
/// when f throws. A value that is not the same when computed again, or not finite, fails the check
/// with a cause that says so. The gradient is also asked for at another point, so that one kept
/// from an earlier call is noticed. TapeError when f's value depends on none of them; OptionError
/// for options outside of their range.
CheckReport check_gradients(const std::function<Variable(const std::vector<Variable>&)>& f,
                            const std::vector<Tensor>& inputs,
                            const std::vector<Parameter>& parameters = {},
                            const CheckOptions& options = {});

CheckReport check_gradients(const std::function<Variable()>& f,
                            const std::vector<Parameter>& parameters,
                            const CheckOptions& options = {});

}  // namespace hindsight
