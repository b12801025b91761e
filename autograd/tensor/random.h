#pragma once
#include <cstdint>
#include <vector>

namespace hindsight {

/// Random number generator: xoshiro256** (Blackman & Vigna 2018, doi 10.1145/3460772), its state
/// seeded by SplitMix64. bits(), uniform() and below() are the same on every machine; numbers
/// computed from them in floating point may differ in the last bits. It is passed to whatever
/// draws; there is no global one. Draws are not synchronised: an Rng belongs to one thread.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);
  /// Draws the numbers that `other` would draw next.
  Rng(const Rng& other);
  Rng& operator=(const Rng& other);
  ~Rng();

  std::uint64_t bits();
  /// Uniform in [0, 1), 53 random bits.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  /// Standard normal, by the polar method.
  double normal();
  /// Whole number, uniform in [0, count). OptionError unless count is at least 1.
  std::int64_t below(std::int64_t count);

 private:
  friend class RandomRun;
  struct State {
    std::uint64_t words[4];
    double spare = 0;  // the second of two normal numbers, which are made together
    bool has_spare = false;

    bool operator==(const State& other) const;
  };

  State state_;
};

/// Records how to repeat the draws of a piece of code: the state of each Rng before it is first
/// used, that is drawn from, copied or assigned to, in the order of first uses. Generators made
/// during the run need no entry.
class RandomRun {
 public:
  /// While active, records in `run` the generators that this thread draws from, copies or assigns
  /// to.
  class Noted {
   public:
    explicit Noted(RandomRun* run);
    ~Noted();
    Noted(const Noted&) = delete;
    Noted& operator=(const Noted&) = delete;

   private:
    RandomRun* run_;
  };
  /// While active, each Rng draws what it drew in `run`; its state is restored on destruction.
  class Repeated {
   public:
    explicit Repeated(RandomRun* run);
    ~Repeated();
    Repeated(const Repeated&) = delete;
    Repeated& operator=(const Repeated&) = delete;

   private:
    RandomRun* run_;
  };

  /// The innermost active run of this thread, or null.
  static RandomRun* current();

  // For Rng --------------------------------------------------------------------------------------

  void made(const Rng* rng);
  void destroyed(const Rng* rng);
  void before_use(const Rng* rng);

 private:
  struct Seen {
    const Rng* rng;
    Rng::State before;  // to restore after a repeated run
  };
  static void set(const Rng* rng, const Rng::State& state);
  void begin(bool repeats);
  void end();
  bool knows(const Rng* rng) const;

  std::vector<Rng::State> first_;  // in the order of first uses
  std::vector<Seen> seen_;         // in the active run
  std::vector<const Rng*> made_;
  bool repeats_ = false;
  std::size_t repeated_ = 0;  // how many of first_ have been used
  RandomRun* outer_ = nullptr;
};

}  // namespace hindsight
