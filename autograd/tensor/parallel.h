#pragma once
#include <functional>

namespace hindsight {

namespace detail {
void parallel_for(int parts, const std::function<void(int)>& f);
}

/// How many threads compute by default: OMP_NUM_THREADS where set, else the number of processors
/// that this program may run on.
int default_threads();

/// Runs f(0), ..., f(parts - 1) at the same time and returns when all have ended: f(0) on the
/// calling thread, f(k) always on the k-th of the threads that this one keeps for it, so that their
/// memory pools stay filled. Matrix products within use one thread each. Called from within f, it
/// runs the parts in order on its own thread. If parts throw, the others end, and the exception of
/// the lowest one is rethrown. OptionError for less than one part.
template <class F>
void parallel_for(int parts, F&& f) {
  detail::parallel_for(parts, std::ref(f));  // a reference, so that nothing is allocated
}

}  // namespace hindsight
