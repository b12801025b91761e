#pragma once
#include <hindsight/autograd/gradcheck.h>

namespace hindsight {

/// A function of one number, to be looked at around 0.
struct Line {
  std::function<double(double)> value;
  double at_zero = 0;
  double step = 1e-6;
  double absolute = 1e-8;  ///< error allowed to a difference over `step`
  double relative = 1e-6;
};

/// Compares a derivative at 0 with differences over the step. Where these do not fit, or the slopes
/// of the two sides differ, a second look with a step 64 times smaller tells what it is:
///   smooth: the sides' difference shrinks with the step, so no wrong derivative passes as a kink
///   kink: it stays; the derivative may be either slope or between them
///   jump: a side's slope grows as the step shrinks; the derivative may be that of the other side
CheckedElement compare_slope(const Line& line, double analytic);

}  // namespace hindsight
