#pragma once
#include <hindsight/autograd/fused.h>

#include <limits>

namespace hindsight::detail {

/// x - y for logarithms of a part x and its whole y: nothing is -infinity of everything, even of
/// nothing.
template <class X>
auto log_ratio(X&& x, const Variable& y) {
  constexpr double kNothingLog = -std::numeric_limits<double>::infinity();
  return gap(std::forward<X>(x), masked(not_equal(y, kNothingLog), y));
}

}  // namespace hindsight::detail
