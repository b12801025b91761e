#pragma once
#include <vector>

#include "contestants.h"

/// Timing of contestants side by side, so that the noise of a shared machine falls on all alike.
namespace hindsight::bench {

struct Timing {
  double median, minimum;  ///< seconds per step
  std::size_t steps;       ///< how many were timed
};

/// Runs the contestants round robin, one step each, for about `seconds` in all and at least
/// kFewestRounds rounds; the first rounds warm up and do not count.
std::vector<Timing> measure(const std::vector<Contestant>& contestants, double seconds);

constexpr std::size_t kFewestRounds = 7;  // the median of fewer is a coin toss
constexpr std::size_t kWarmUpRounds = 2;

}  // namespace hindsight::bench
