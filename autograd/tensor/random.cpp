#include <hindsight/autograd/tensor/error.h>
#include <hindsight/autograd/tensor/random.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

namespace hindsight {
namespace {

thread_local RandomRun* current_run = nullptr;

std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

}  // namespace

Rng::Rng(std::uint64_t seed) {
  if (RandomRun* run = RandomRun::current()) run->made(this);
  for (std::uint64_t& word : state_.words) {  // SplitMix64
    std::uint64_t z = (seed += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    word = z ^ (z >> 31);
  }
}

// A copy is as it was if its original is.
Rng::Rng(const Rng& other) {
  if (RandomRun* run = RandomRun::current()) {
    run->before_use(&other);
    run->made(this);
  }
  state_ = other.state_;
}

Rng& Rng::operator=(const Rng& other) {
  if (RandomRun* run = RandomRun::current()) {
    run->before_use(&other);
    run->before_use(this);
  }
  state_ = other.state_;
  return *this;
}

Rng::~Rng() {
  if (RandomRun* run = RandomRun::current()) run->destroyed(this);
}

bool Rng::State::operator==(const State& other) const {
  return std::equal(std::begin(words), std::end(words), std::begin(other.words)) &&
         spare == other.spare && has_spare == other.has_spare;
}

std::uint64_t Rng::bits() {
  if (RandomRun* run = RandomRun::current()) run->before_use(this);
  std::uint64_t* s = state_.words;
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
  if (RandomRun* run = RandomRun::current()) run->before_use(this);
  if (state_.has_spare) {
    state_.has_spare = false;
    return state_.spare;
  }
  double x, y, square;
  do {
    x = uniform(-1, 1);
    y = uniform(-1, 1);
    square = x * x + y * y;
  } while (square >= 1 || square == 0);
  const double scale = std::sqrt(-2 * std::log(square) / square);
  state_.spare = y * scale;
  state_.has_spare = true;
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
  made_.push_back(rng);
  if (outer_) outer_->made(rng);
}

void RandomRun::destroyed(const Rng* rng) {
  const auto is = [&](const Seen& seen) { return seen.rng == rng; };
  seen_.erase(std::remove_if(seen_.begin(), seen_.end(), is), seen_.end());
  made_.erase(std::remove(made_.begin(), made_.end(), rng), made_.end());
  if (outer_) outer_->destroyed(rng);
}

bool RandomRun::knows(const Rng* rng) const {
  return std::any_of(seen_.begin(), seen_.end(), [&](const Seen& s) { return s.rng == rng; }) ||
         std::find(made_.begin(), made_.end(), rng) != made_.end();
}

// A constant Rng is not written: its state differs only if the function is not the same as before,
// which the checkpoint rejects.
void RandomRun::set(const Rng* rng, const Rng::State& state) {
  if (!(rng->state_ == state)) const_cast<Rng*>(rng)->state_ = state;
}

// The outer run comes first: if it is being repeated, it sets the state that this one records.
void RandomRun::before_use(const Rng* rng) {
  if (outer_) outer_->before_use(rng);
  if (knows(rng)) return;
  seen_.push_back({rng, rng->state_});
  if (!repeats_) {
    first_.push_back(rng->state_);
  } else if (repeated_ < first_.size()) {
    set(rng, first_[repeated_++]);
  }
}

RandomRun::Noted::Noted(RandomRun* run) : run_(run) { run_->begin(false); }
RandomRun::Noted::~Noted() { run_->end(); }

RandomRun::Repeated::Repeated(RandomRun* run) : run_(run) { run_->begin(true); }
RandomRun::Repeated::~Repeated() {
  for (const Seen& seen : run_->seen_) set(seen.rng, seen.before);
  run_->end();
}

}  // namespace hindsight
