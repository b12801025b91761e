#pragma once
#include <hindsight/autograd/gradcheck/report.h>

namespace hindsight {

/// How exact the values of a function are.
class Rounding {
 public:
  /// The error of a value is `share` of `size`, until that is measured along a line through the
  /// point. What cancels out in the value leaves its rounding there; `size_of_parts`, where there
  /// is one, says how large it was.
  Rounding(double share, double size, std::function<double(double)> along,
           std::function<double()> size_of_parts = {})
      : share_(share),
        size_(size),
        along_(std::move(along)),
        size_of_parts_(std::move(size_of_parts)) {}

  double error() const { return share_ * size_; }
  /// Measures it, once. True if it is larger than it was.
  bool measure();

 private:
  double share_, size_;
  std::function<double(double)> along_;
  std::function<double()> size_of_parts_;
};

/// A function of one number, to be looked at around 0: the value where x is moved by it.
struct Probe {
  Probe(double x, double at_zero, std::function<double(double)> value, const CheckOptions& options,
        Rounding* rounding);

  std::function<double(double)> value;
  double at_zero;
  double step;     ///< a power of two, which adds to x exactly
  double spacing;  ///< of the numbers around x
  double relative;
  Rounding* rounding;
};

/// Compares a derivative at 0 with differences over the step. Where these do not fit, or the slopes
/// of the two sides differ, steps 64 times smaller each tell what it is, as far as rounding
/// permits:
///   smooth: the sides' difference shrinks with the step, so no wrong derivative passes as a kink
///   kink: it stays; the derivative may be either slope or between them
///   jump: a side's slope grows as the step shrinks; the derivative may be that of the other side
CheckedElement compare_slope(const Probe& line, double analytic);

}  // namespace hindsight
