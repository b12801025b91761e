#pragma once
#include <hindsight/autograd/gradcheck/report.h>
#include <hindsight/autograd/tape/tape.h>

#include <optional>
#include <vector>

namespace hindsight {

/// What looking for the operation to blame came to.
struct CulpritSearch {
  std::optional<Culprit> culprit;
  Size operations = 0;  ///< that passed in isolation
  Size together = 1;    ///< elements of an input that were at most moved together
};

/// The first operation on the tape that is wrong in isolation, or else one that reads a cut-off
/// value. The tape holds all values. `leaves` are what the derivative is asked for; what is
/// recorded after `forward_end` belongs to a reverse sweep.
CulpritSearch find_culprit(const Tape& tape, const std::vector<Variable>& leaves,
                           const Operation* forward_end, const CheckOptions& options);

}  // namespace hindsight
