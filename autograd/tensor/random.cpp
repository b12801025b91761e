#include <hindsight/autograd/tensor/error.h>
#include <hindsight/autograd/tensor/random.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace hindsight {
namespace {

thread_local RandomRun* current_run = nullptr;

std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

}  // namespace

Rng::Rng(std::uint64_t seed) {
  if (RandomRun* run = RandomRun::current()) run->made(this);
  for (std::uint64_t& word : state_) {  // SplitMix64
    std::uint64_t z = (seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    word = z ^ (z >> 31);
  }
}

std::uint64_t Rng::bits() {
  if (RandomRun* run = RandomRun::current()) run->before_draw(this);
  std::uint64_t* s = state_;
  const std::uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = rotate(s[3], 45);
  return result;
}

double Rng::normal() {
  if (RandomRun* run = RandomRun::current()) run->before_draw(this);
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  double x, y, square;
  do {
    x = uniform(-1, 1);
    y = uniform(-1, 1);
    square = x * x + y * y;
  } while (square >= 1 || square == 0);
  const double scale = std::sqrt(-2 * std::log(square) / square);
  spare_ = y * scale;
  has_spare_ = true;
  return x * scale;
}

std::int64_t Rng::below(std::int64_t count) {
  if (count < 1) fail<OptionError>("Rng::below: a count of {}; at least 1 is needed", count);
  const auto n = static_cast<std::uint64_t>(count);
  // Above a multiple of n remainders would not be uniform.
  const std::uint64_t limit = UINT64_MAX - UINT64_MAX % n;
  std::uint64_t x;
  do {
    x = bits();
  } while (x >= limit);
  return static_cast<std::int64_t>(x % n);
}

RandomRun* RandomRun::current() { return current_run; }

void RandomRun::begin(bool repeats) {
  repeats_ = repeats;
  repeated_ = 0;
  outer_ = std::exchange(current_run, this);
}

void RandomRun::end() {
  current_run = outer_;
  seen_.clear();
  made_.clear();
}

void RandomRun::made(const Rng* rng) {
  if (std::find(made_.begin(), made_.end(), rng) == made_.end()) made_.push_back(rng);
  // A generator seen at this address before no longer exists.
  seen_.erase(
      std::remove_if(seen_.begin(), seen_.end(), [&](const Seen& s) { return s.rng == rng; }),
      seen_.end());
  if (outer_) outer_->made(rng);
}

bool RandomRun::knows(const Rng* rng) const {
  return std::any_of(seen_.begin(), seen_.end(), [&](const Seen& s) { return s.rng == rng; }) ||
         std::find(made_.begin(), made_.end(), rng) != made_.end();
}

// The outer run comes first: if it is being repeated, it sets the state that this one records.
void RandomRun::before_draw(Rng* rng) {
  if (outer_) outer_->before_draw(rng);
  if (knows(rng)) return;
  seen_.push_back({rng, *rng});
  if (!repeats_) {
    first_.push_back(*rng);
  } else if (repeated_ < first_.size()) {
    *rng = first_[repeated_++];
  }
}

RandomRun::Noted::Noted(RandomRun* run) : run_(run) { run_->begin(false); }
RandomRun::Noted::~Noted() { run_->end(); }

RandomRun::Repeated::Repeated(RandomRun* run) : run_(run) { run_->begin(true); }
RandomRun::Repeated::~Repeated() {
  for (const Seen& seen : run_->seen_) *seen.rng = seen.before;
  run_->end();
}

}  // namespace hindsight
