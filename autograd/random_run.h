#pragma once
#include <hindsight/autograd/random.h>

#include <vector>

namespace hindsight {

/// What a run of some code draws, so that the run can be repeated: the state of each Rng before its
/// first draw, in the order of these. An Rng that the run makes itself needs none of it.
class RandomRun {
 public:
  /// While alive, draws of this thread are noted in `run`.
  class Noted {
   public:
    explicit Noted(RandomRun* run);
    ~Noted();
    Noted(const Noted&) = delete;
    Noted& operator=(const Noted&) = delete;

   private:
    RandomRun* run_;
  };
  /// While alive, each Rng draws what it drew in `run`; afterwards it goes on as if it had not.
  class Repeated {
   public:
    explicit Repeated(RandomRun* run);
    ~Repeated();
    Repeated(const Repeated&) = delete;
    Repeated& operator=(const Repeated&) = delete;

   private:
    RandomRun* run_;
  };

  /// The run that goes on on this thread, or null.
  static RandomRun* current();

  // For Rng --------------------------------------------------------------------------------------

  void made(const Rng* rng);
  void before_draw(Rng* rng);

 private:
  struct Seen {
    Rng* rng;
    Rng before;  // to go on with after a repeated run
  };
  void begin(bool repeats);
  void end();
  bool knows(const Rng* rng) const;

  std::vector<Rng> first_;  // states, in the order of first draws
  std::vector<Seen> seen_;  // of the run that goes on
  std::vector<const Rng*> made_;
  bool repeats_ = false;
  std::size_t repeated_ = 0;  // how many of first_ are in use
  RandomRun* outer_ = nullptr;
};

}  // namespace hindsight
