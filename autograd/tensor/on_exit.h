#pragma once

namespace hindsight {

/// Calls `f` at the end of a scope, also when an exception ends it.
template <class F>
struct OnExit {
  F f;
  ~OnExit() { f(); }
};
template <class F>
OnExit(F) -> OnExit<F>;

}  // namespace hindsight
