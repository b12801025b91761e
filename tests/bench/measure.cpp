#include "measure.h"

#include <algorithm>
#include <chrono>

namespace hindsight::bench {
namespace {

double seconds_of(const std::function<double()>& step) {
  const auto start = std::chrono::steady_clock::now();
  step();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Timing summary(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {samples[samples.size() / 2], samples.front(), samples.size()};
}

}  // namespace

std::vector<Timing> measure(const std::vector<Contestant>& contestants, double seconds) {
  for (std::size_t round = 0; round < kWarmUpRounds; ++round) {
    for (const Contestant& contestant : contestants) contestant.step();
  }
  std::vector<std::vector<double>> samples(contestants.size());
  double spent = 0;
  for (std::size_t round = 0; round < kFewestRounds || spent < seconds; ++round) {
    for (std::size_t k = 0; k < contestants.size(); ++k) {
      // The first step after another contestant's does not count: its data left the cache.
      spent += seconds_of(contestants[k].step);
      samples[k].push_back(seconds_of(contestants[k].step));
      spent += samples[k].back();
    }
  }
  std::vector<Timing> timings;
  for (auto& taken : samples) timings.push_back(summary(std::move(taken)));
  return timings;
}

}  // namespace hindsight::bench
