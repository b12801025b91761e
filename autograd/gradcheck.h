#pragma once
#include <hindsight/autograd/tape.h>

#include <functional>
#include <string>
#include <vector>

namespace hindsight {

struct CheckOptions {
  double step =
      1e-6;  ///< of the central difference, times max(1, |x|): truncation ~1e-12, rounding ~1e-10
  double relative = 1e-6;  ///< an element passes when |analytic - numeric| <= absolute + relative *
                           ///< the larger one
  double absolute =
      1e-8;  ///< times max(1, |loss|), as the rounding of a difference grows with the loss
  /// Elements of each tensor to check, spread evenly; 0 checks every one.
  Size elements = 0;
  /// Also checks the derivative of the gradient along a random direction (second order).
  bool second_order = false;
};

/// What a check found.
struct CheckReport {
  bool passed = true;
  Size checked = 0;  ///< elements compared
  std::string
      name;  ///< of the worst one: the parameter, or "input 0"; "second order of ..." likewise
  Size index = 0;  ///< row-major
  double analytic = 0;
  double numeric = 0;
  double error = 0;  ///< |analytic - numeric| over what was allowed: at most 1 when it passed
  Shape shape;       ///< of the worst element's tensor

  explicit operator bool() const { return passed; }
  /// "passed: 35 elements, worst weight_hh_l0 [2, 1]: analytic ..., numeric ..." or "FAILED: ...".
  std::string to_string() const;
};

/// Compares the tape's gradients with central differences in double. `f` computes a value from the
/// inputs and from parameters it knows; a value that is no scalar is weighted with fixed random
/// numbers. float32 parameters and inputs are converted for the check and put back afterwards.
/// TapeError when f's value depends on none of them.
CheckReport check_gradients(const std::function<Variable(const std::vector<Variable>&)>& f,
                            const std::vector<Tensor>& inputs,
                            const std::vector<Parameter>& parameters = {},
                            const CheckOptions& options = {});

CheckReport check_gradients(const std::function<Variable()>& f,
                            const std::vector<Parameter>& parameters,
                            const CheckOptions& options = {});

}  // namespace hindsight
