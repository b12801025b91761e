#pragma once
#include <hindsight/autograd/gradcheck/report.h>
#include <hindsight/autograd/tape/tape.h>

#include <optional>
#include <vector>

namespace hindsight::detail {

/// The result of a search for the operation to blame.
struct CulpritSearch {
  std::optional<Culprit> culprit;
  Size operations = 0;  ///< that passed in isolation
  Size together = 1;    ///< the most elements of an input that were perturbed together
};

/// Finds the first operation on the tape that is wrong in isolation, or else the first that reads a
/// detached value. Precondition: the tape holds all values. `leaves` are the variables of the
/// derivative; operations after `forward_end` were recorded by a reverse sweep.
CulpritSearch find_culprit(const Tape& tape, const std::vector<Variable>& leaves,
                           const Operation* forward_end, const CheckOptions& options);

}  // namespace hindsight::detail
