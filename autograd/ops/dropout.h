#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/random.h>

namespace hindsight {

/// Sets each element to zero with probability `rate` and scales the others by 1 / (1 - rate), which
/// preserves the expectation (inverted dropout). OptionError unless 0 <= rate < 1.
Variable dropout(const Variable& x, double rate, Rng& rng);

/// The mask that dropout multiplies by, of 0 and 1 / (1 - rate). Errors as for dropout.
Tensor dropout_mask(const Shape& shape, DType dtype, double rate, Rng& rng);

}  // namespace hindsight
