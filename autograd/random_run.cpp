#include <hindsight/autograd/random_run.h>

#include <algorithm>
#include <utility>

namespace hindsight {
namespace {
thread_local RandomRun* current_run = nullptr;
}  // namespace

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
  // What lay at this address before is gone.
  seen_.erase(
      std::remove_if(seen_.begin(), seen_.end(), [&](const Seen& s) { return s.rng == rng; }),
      seen_.end());
  if (outer_) outer_->made(rng);
}

bool RandomRun::knows(const Rng* rng) const {
  return std::any_of(seen_.begin(), seen_.end(), [&](const Seen& s) { return s.rng == rng; }) ||
         std::find(made_.begin(), made_.end(), rng) != made_.end();
}

// The outer run comes first: where it is repeated it sets the state that this one notes.
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
