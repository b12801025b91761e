#pragma once
#include <cstdint>

namespace hindsight {

/// Random numbers from a seed: xoshiro256** (Blackman & Vigna 2018, doi 10.1145/3460772), its state
/// filled by SplitMix64. bits(), uniform() and below() are the same on every machine; what is
/// computed from them in floating point may differ in the last bits. Passed to whatever draws;
/// there is no global one.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  std::uint64_t bits();
  /// Uniform in [0, 1), 53 random bits.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal, by the polar method.
  double normal();
  /// Whole number in [0, count). OptionError unless count is at least 1.
  std::int64_t below(std::int64_t count);

 private:
  std::uint64_t state_[4];
  double spare_ = 0;
  bool has_spare_ = false;
};

}  // namespace hindsight
