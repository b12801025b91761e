#include <hindsight/autograd/error.h>
#include <hindsight/autograd/random.h>
#include <hindsight/autograd/random_run.h>

#include <cmath>

namespace hindsight {
namespace {

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
  const std::uint64_t limit =
      UINT64_MAX - UINT64_MAX % n;  // above it the remainder would be uneven
  std::uint64_t x;
  do {
    x = bits();
  } while (x >= limit);
  return static_cast<std::int64_t>(x % n);
}

}  // namespace hindsight
