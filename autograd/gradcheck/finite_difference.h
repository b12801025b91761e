#pragma once
#include <hindsight/autograd/gradcheck/report.h>

namespace hindsight::detail {

/// The rounding error of a function's values.
class Rounding {
 public:
  /// The error is estimated as share * size, until measure() raises `size`: by values along a line
  /// through the point, and by `size_of_parts`, if given, which returns the magnitude of the
  /// intermediate values. Terms that cancel in the value leave their rounding in it.
  Rounding(double share, double size, std::function<double(double)> along,
           std::function<double()> size_of_parts = {})
      : share_(share),
        size_(size),
        along_(std::move(along)),
        size_of_parts_(std::move(size_of_parts)) {}

  double error() const { return share_ * size_; }
  /// Measures the error; only the first call does. True if it turned out larger.
  bool measure();

 private:
  double share_, size_;
  std::function<double(double)> along_;
  std::function<double()> size_of_parts_;
};

/// A function of one number t, the value with x moved by t, to be differentiated at t = 0.
struct Probe {
  Probe(double x, double at_zero, std::function<double(double)> value, const CheckOptions& options,
        Rounding* rounding);

  std::function<double(double)> value;
  double at_zero;
  double step;     ///< a power of two, so that adding it to x is exact
  double spacing;  ///< of the representable numbers around x
  double relative;
  Rounding* rounding;
};

/// Compares the derivative at 0 with differences over the step. If they disagree, or the slopes of
/// the two sides differ, steps each 64 times smaller decide which case it is, as far as rounding
/// permits:
///   smooth: the sides' difference shrinks with the step, so no wrong derivative passes as a kink
///   kink: the difference remains; the derivative may be either slope or between them
///   jump: a side's slope grows as the step shrinks; the derivative may be that of the other side
CheckedElement compare_slope(const Probe& line, double analytic);

}  // namespace hindsight::detail
