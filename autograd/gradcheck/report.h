#pragma once
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/autograd/tensor/shape.h>

#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// What a gradient check is asked and what it found.
namespace hindsight {

struct CheckOptions {
  /// Of the central difference, times max(1, |x|) and rounded to a power of two: truncation ~1e-12,
  /// rounding ~1e-10. Smaller where the function bends within it.
  double step = 1e-6;
  /// An element passes when |analytic - numeric| <= resolution + relative * the larger one.
  double relative = 1e-6;
  /// The resolution of a difference over `step`, times the size of the loss, whose rounding it is.
  /// Where rounding turns out larger it is measured.
  double absolute = 1e-8;
  /// Elements of each tensor to check, spread evenly; 0 checks every one.
  Size elements = 0;
  /// Also checks the derivative of the gradient along a random direction (second order).
  bool second_order = false;
  /// Checks slopes along random directions through all tensors at once instead of elements: two
  /// evaluations a direction, however many parameters there are.
  bool fast = false;
  Size directions = 1;  ///< of the fast check
  /// Progress callback, called before each comparison; return false to stop.
  std::function<bool(Size done, Size all)> on_progress = {};
};

/// A derivative by the tape against differences of the value.
struct CheckedElement {
  static constexpr Size kDirection = -1;

  /// What the differences say of the function there. At a kink the slopes of the two sides differ,
  /// and the derivative may be either or between them; at a jump one of them has no limit.
  enum class Kind { smooth, kink, jump, not_finite };

  Size index = 0;  ///< row-major; kDirection for a slope along a random direction
  double analytic = 0;
  double numeric = 0;  ///< the central difference
  double left = 0, right = 0;
  double error = 0;       ///< |analytic - numeric| over what was allowed: at most 1 when it passed
  double resolution = 0;  ///< differences cannot tell derivatives apart that are closer than this
  Kind kind = Kind::smooth;

  bool passed() const { return error <= 1; }  // false for NaN
  /// False for a derivative too small to be compared: any sign and any factor would have passed.
  bool resolved() const {
    return analytic == 0 || !passed() || !(std::abs(analytic) <= resolution);
  }
};

/// What a check found in one parameter or input.
struct CheckedTensor {
  static constexpr std::size_t kListed = 20;  ///< most elements in each list

  std::string name;  ///< of the parameter; "input 0"
  Shape shape;
  int order = 1;  ///< of the derivative: 1 or 2
  Size checked = 0, failed = 0, kinks = 0;
  Size zeros = 0;       ///< elements whose analytic derivative is 0
  Size unresolved = 0;  ///< elements whose derivative is too small to be compared
  CheckedElement worst;
  std::vector<CheckedElement> failures;  ///< the worst first
  std::vector<CheckedElement> at_kinks;  ///< the first ones

  std::string full_name() const;  ///< "second order of weight", or the name
};

/// The operation to blame, where one was found: each is recomputed and differentiated in isolation.
struct Culprit {
  enum class Kind {
    backward,  ///< its backward does not fit its own values
    value,     ///< its value is not what its inputs give: memory was overwritten, or it draws
    constant   ///< it is right, but an input of it is cut off from the value it shares memory with
  };

  Kind kind = Kind::backward;
  std::string operation;  ///< its name
  std::string place;      ///< "layer 0, time step 3"; empty outside of every Scope
  Size time_step = ScopePath::kNoStep;
  std::string input;       ///< the parameter, or "input 1"
  Shape shape;             ///< of that input
  CheckedElement element;  ///< the input's worst one
  bool in_sweep = false;   ///< recorded by the reverse sweep, for the second order

  std::string to_string() const;  ///< one sentence
};

/// What a check found.
struct CheckReport {
  bool passed = true;
  bool complete = true;  ///< false when on_progress ended it
  Size checked = 0;      ///< elements compared, or directions
  Size elements = 0;     ///< how many there are, counted once for each order
  Size kinks = 0;        ///< of those compared, where the function has a kink
  Size unresolved = 0;   ///< of those compared, too small for differences to resolve
  /// The worst element's tensor, the parameter or "input 0"; "second order of ..." likewise.
  std::string name;
  Size index = 0;  ///< row-major
  double analytic = 0;
  double numeric = 0;
  double error = 0;  ///< |analytic - numeric| over what was allowed: at most 1 when it passed
  Shape shape;       ///< of the worst element's tensor
  std::vector<CheckedTensor> tensors;
  std::string cause;               ///< why it failed, as far as that was found out
  std::optional<Culprit> culprit;  ///< the same as data, where it is an operation
  std::string warning;  ///< which gradients are so small that differences could see none of them

  explicit operator bool() const { return passed; }
  /// "passed: 35 elements, worst weight_hh_l0 [2, 1]: analytic ..., numeric ...", and the warning.
  /// Where it failed, more lines: the worst elements of every tensor, and the cause.
  std::string to_string() const;
};

}  // namespace hindsight
