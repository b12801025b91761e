#pragma once
#include <vector>

#include "contestants.h"

/// Interleaved timing of contestants, so that the noise of a shared machine affects all alike.
namespace hindsight::bench {

struct Timing {
  double median, minimum;  ///< seconds per step
  std::size_t steps;       ///< how many were timed
};

/// Runs the contestants round robin, one step each, for about `seconds` in all and at least
/// kFewestRounds rounds; the first rounds warm up and do not count.
std::vector<Timing> measure(const std::vector<Contestant>& contestants, double seconds);

constexpr std::size_t kFewestRounds = 7;  // the median of fewer is too noisy
constexpr std::size_t kWarmUpRounds = 2;

}  // namespace hindsight::bench
