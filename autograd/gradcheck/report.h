#pragma once
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/autograd/tensor/shape.h>

#include <cmath>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// The options of a gradient check and its report.
namespace hindsight {

struct CheckOptions {
  /// Step of the central difference, times max(1, |x|) and rounded to a power of two: truncation
  /// ~1e-12, rounding ~1e-10. Reduced where the function curves within it.
  double step = 1e-6;
  /// An element passes if |analytic - numeric| <= resolution + relative * the larger of the two.
  double relative = 1e-6;
  /// The resolution of a difference over `step`, for a loss of size 1: it is the loss's rounding,
  /// and grows with its size. Measured where rounding turns out larger.
  double absolute = 1e-8;
  /// Elements of each tensor to check, spread evenly; 0 checks every one.
  Size elements = 0;
  /// Also checks the second order: the derivatives of the gradient along a random direction.
  bool second_order = false;
  /// Checks slopes along random directions through all tensors at once instead of elements: two
  /// evaluations for each direction, however many parameters there are.
  bool fast = false;
  Size directions = 1;  ///< of the fast check
  /// Progress callback, called before each comparison; return false to stop.
  std::function<bool(Size done, Size all)> on_progress = {};
};

/// The comparison of one derivative by the tape with differences of the value.
struct CheckedElement {
  static constexpr Size kDirection = -1;

  /// The kind of point, according to the differences. At a kink the slopes of the two sides differ,
  /// and the derivative may be either or between them; at a jump one of them has no limit.
  enum class Kind { smooth, kink, jump, not_finite };

  Size index = 0;  ///< row-major; kDirection for a slope along a random direction
  double analytic = 0;
  double numeric = 0;  ///< the central difference
  double left = 0, right = 0;
  double error = 0;       ///< |analytic - numeric| over the allowed error: at most 1 if it passed
  double resolution = 0;  ///< differences cannot distinguish derivatives closer than this
  Kind kind = Kind::smooth;

  bool passed() const { return error <= 1; }  // false for NaN
  /// False for a derivative too small to be compared: with any sign or factor it would have passed.
  bool resolved() const {
    return analytic == 0 || !passed() || !(std::abs(analytic) <= resolution);
  }
};

/// The result for one parameter or input.
struct CheckedTensor {
  static constexpr std::size_t kListed = 20;  ///< each list has at most so many elements

  std::string name;  ///< of the parameter; "input 0"
  Shape shape;
  int order = 1;  ///< of the derivative: 1 or 2
  Size checked = 0, failed = 0, kinks = 0;
  Size zeros = 0;       ///< elements whose analytic derivative is 0
  Size unresolved = 0;  ///< elements whose derivative is too small to be compared
  CheckedElement worst;
  std::vector<CheckedElement> failures;  ///< the worst first
  std::vector<CheckedElement> at_kinks;  ///< the first ones

  std::string full_name() const;  ///< the name, or "second order of weight"
};

/// The operation to blame, found by recomputing and differentiating each operation in isolation.
struct Culprit {
  enum class Kind {
    backward,  ///< its backward contradicts its own values
    value,     ///< recomputing changes its value: memory was overwritten, or it draws numbers
    constant   ///< it is right, but one of its inputs was detached from a recorded value
  };

  Kind kind = Kind::backward;
  std::string operation;  ///< its name
  std::string place;      ///< "layer 0, time step 3"; empty outside of all Scopes
  Size time_step = ScopePath::kNoStep;
  std::string input;       ///< the parameter, or "input 1"
  Shape shape;             ///< of that input
  CheckedElement element;  ///< the input's worst element
  bool in_sweep = false;   ///< whether a reverse sweep recorded it, for the second order

  std::string to_string() const;  ///< one sentence
};

/// The result of a gradient check.
struct CheckReport {
  bool passed = true;
  bool complete = true;  ///< false if on_progress ended it
  Size checked = 0;      ///< elements compared, or directions
  Size elements = 0;     ///< of all tensors, counted once for each order
  Size kinks = 0;        ///< of those compared, how many are at a kink
  Size unresolved = 0;   ///< of those compared, how many are too small to be resolved
  /// The worst element's tensor: the parameter or "input 0", or "second order of ...".
  std::string name;
  Size index = 0;  ///< row-major
  double analytic = 0;
  double numeric = 0;
  double error = 0;  ///< |analytic - numeric| over the allowed error: at most 1 if it passed
  Shape shape;       ///< of the worst element's tensor
  std::vector<CheckedTensor> tensors;
  std::string cause;               ///< why it failed, as far as could be determined
  std::optional<Culprit> culprit;  ///< the same as data, if it is an operation
  std::string warning;             ///< names tensors of which no derivative could be compared

  explicit operator bool() const { return passed; }
  /// "passed: 35 elements, worst weight_hh_l0 [2, 1]: analytic ..., numeric ...", and the warning.
  /// If it failed, more lines: the worst elements of each tensor, and the cause.
  std::string to_string() const;
};

}  // namespace hindsight
