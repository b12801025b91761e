#include <hindsight/autograd/gradcheck/finite_difference.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace hindsight::detail {
namespace {

constexpr double kFiner = 64;  // each further step is so much smaller, its rounding so much larger
constexpr int kLooks = 10;     // further steps at most: 1e-6 / 64^10 is 1e-24
// The truncation error of a central difference is proportional to the step squared, so it is 64^2
// times smaller in the finer of two. Twice their difference's share, to cover higher terms.
constexpr double kTruncation = 2 / (kFiner * kFiner - 1);
// One-sided slopes that differ by more than this share of their size, plus this many times their
// rounding, are examined with smaller steps. Those of a smooth function differ by 1e-6 of its
// curvature.
constexpr double kBent = 1e-4, kBentRounding = 100;
constexpr double kSure = 0.25;   // share of the allowed error above which smaller steps decide
constexpr double kClear = 4;     // times the rounding: a difference above is significant
constexpr double kStays = 0.1;   // a kink's gap between the sides stays, others shrink 64 times
constexpr double kGrows = 4;     // a slope across a jump grows 64 times
constexpr double kSteadies = 2;  // a slope that has a limit grows by less
constexpr double kWorth = 2;     // times the next step's rounding: a doubt below is not examined
constexpr int kKinkStays = 4;    // steps in a row that must see a kink, down to 1e-6 / 64^4
constexpr double kSteps = 1000;  // representable numbers that a step must span

struct OneSidedSlopes {
  double left, right, central, step, resolution;
  double gap() const { return std::abs(right - left); }
  double steepest() const { return std::max(std::abs(left), std::abs(right)); }
  bool finite() const { return std::isfinite(left) && std::isfinite(right); }
};

OneSidedSlopes sides(const Probe& line, double step) {
  const double ahead = line.value(step), behind = line.value(-step);
  return {(line.at_zero - behind) / step, (ahead - line.at_zero) / step,
          (ahead - behind) / (2 * step), step, line.rounding->error() / step};
}

/// The distance of `analytic` from [low, high] over the error allowed for slopes over `step`.
double error_of(const Probe& line, double analytic, double low, double high, double resolution,
                double step) {
  if (std::isnan(analytic)) return analytic;
  const double distance = std::max({low - analytic, analytic - high, 0.0});
  const double magnitude = std::max({std::abs(analytic), std::abs(low), std::abs(high)});
  const double allowed = resolution + (line.relative + line.spacing / step) * magnitude;
  return distance == 0 ? 0 : distance / allowed;
}

/// Compares with the central difference.
CheckedElement smooth(const Probe& line, double analytic, const OneSidedSlopes& at,
                      double truncation = 0) {
  CheckedElement e;
  e.analytic = analytic;
  e.numeric = at.central;
  e.left = at.left;
  e.right = at.right;
  e.resolution = at.resolution + truncation;
  e.error = error_of(line, analytic, at.central, at.central, e.resolution, at.step);
  return e;
}

/// The error at a jump: compares with each side whose slope has a limit.
double error_beside_jump(const Probe& line, double analytic, const OneSidedSlopes& near,
                         const OneSidedSlopes& fine) {
  double error = INFINITY;
  const auto compare = [&](double coarse, double slope) {
    if (std::abs(slope) <= kSteadies * std::abs(coarse) + kClear * fine.resolution)
      error = std::min(error, error_of(line, analytic, slope, slope, fine.resolution, fine.step));
  };
  compare(near.left, fine.left);
  compare(near.right, fine.right);
  return error;
}

struct Look {
  CheckedElement element;
  double open = 0;  ///< how much of a slope a smaller step might still change
};

/// Judges by two steps, one kFiner times the other.
Look look(const Probe& line, double analytic, const OneSidedSlopes& near,
          const OneSidedSlopes& fine) {
  const double clear = kClear * fine.resolution;
  Look result{smooth(line, analytic, near)};
  CheckedElement& e = result.element;
  if (fine.steepest() > clear && fine.steepest() > kGrows * near.steepest()) {
    e.kind = CheckedElement::Kind::jump;
    e.error = error_beside_jump(line, analytic, near, fine);
    result.open = fine.steepest() / kClear;
  } else if (fine.gap() > clear && fine.gap() > kStays * near.gap()) {
    e.kind = CheckedElement::Kind::kink;
    const auto [low, high] = std::minmax(fine.left, fine.right);
    e.error = error_of(line, analytic, low, high, fine.resolution, fine.step);
    result.open = fine.gap() / kClear;
  } else if (smooth(line, fine.central, near).passed()) {
    return result;
  } else {
    // The function curves within the larger step: only the smaller one approximates the derivative.
    const double truncation = kTruncation * std::abs(near.central - fine.central);
    e = smooth(line, analytic, fine, truncation);
    // Neither may be near the limit yet: a failure must persist at a smaller step.
    if (!e.passed()) {
      result.open = std::abs(analytic - fine.central);
    } else if (truncation > fine.resolution + line.relative * std::abs(fine.central)) {
      result.open = truncation;
    }
  }
  e.left = fine.left;
  e.right = fine.right;
  return result;
}

/// Judges by smaller and smaller steps, until they agree or rounding hides the rest.
CheckedElement look_closer(const Probe& line, double analytic, OneSidedSlopes near,
                           CheckedElement e) {
  int kinks = 0;
  for (int k = 0; k < kLooks && near.step / kFiner >= kSteps * line.spacing; ++k) {
    const OneSidedSlopes fine = sides(line, near.step / kFiner);
    if (!fine.finite()) break;
    const Look closer = look(line, analytic, near, fine);
    // A kink or a jump is measured most exactly at the largest step that shows it.
    if (k == 0 || closer.element.kind != e.kind || e.kind == CheckedElement::Kind::smooth)
      e = closer.element;
    kinks = closer.element.kind == CheckedElement::Kind::kink ? kinks + 1 : 0;
    if (kinks == kKinkStays || closer.open <= kWorth * kFiner * fine.resolution) break;
    near = fine;
  }
  return e;
}

constexpr int kSamples = 8;
constexpr double kNarrowest = 0x1p-40, kWider = 0x1p8, kWidest = 0x1p-8;
// The size of a value whose rounding has the standard deviation 1: with the usual share of 1e-14,
// the error is 20 deviations.
constexpr double kSizeOfDeviation = 2e15;

using Samples = std::array<double, kSamples>;

/// The standard deviation of the rounding of equally spaced values: differences of a high order
/// leave only the rounding (Hamming 1973, chapter 6).
double deviation(Samples values) {
  double smallest = INFINITY;
  for (int order = 1; order <= 5; ++order) {
    const int count = kSamples - order;
    double squares = 0;
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      values[i] = values[i + 1] - values[i];
      squares += values[i] * values[i];
    }
    // The squares of the binomial coefficients of these orders sum to 20 and 252.
    if (order == 3) smallest = std::sqrt(squares / count / 20);
    if (order == 5) smallest = std::min(smallest, std::sqrt(squares / count / 252));
  }
  return smallest;
}

double deviation_along(const std::function<double(double)>& value) {
  double result = 0;
  // Values at too close a spacing round to the same number and show no error. The closest spacing
  // at which they differ shows it best: at a wider one the function curves.
  bool distinct = false;
  for (double spacing = kNarrowest; !distinct && spacing <= kWidest; spacing *= kWider) {
    double smallest = INFINITY;  // of the two sides, as one may have a kink
    distinct = true;
    for (const double sign : {1.0, -1.0}) {
      Samples values;
      for (std::size_t i = 0; i < kSamples; ++i)
        values[i] = value(sign * spacing * static_cast<double>(i + 1));
      distinct = distinct && std::adjacent_find(values.begin(), values.end()) == values.end();
      const double found = deviation(values);
      if (std::isfinite(found)) smallest = std::min(smallest, found);
    }
    if (std::isfinite(smallest)) result = smallest;
  }
  return result;
}

}  // namespace

bool Rounding::measure() {
  if (!along_) return false;
  const auto along = std::exchange(along_, nullptr);
  const double before = size_;
  size_ = std::max(size_, kSizeOfDeviation * deviation_along(along));
  if (size_of_parts_) size_ = std::max(size_, size_of_parts_());
  return size_ > before;
}

Probe::Probe(double x, double here, std::function<double(double)> moved,
             const CheckOptions& options, Rounding* of_values)
    : value(std::move(moved)),
      at_zero(here),
      step(std::exp2(std::round(std::log2(options.step * std::max(1.0, std::abs(x)))))),
      spacing(std::abs(x) * 0x1p-53),
      relative(options.relative),
      rounding(of_values) {}

CheckedElement compare_slope(const Probe& line, double analytic) {
  OneSidedSlopes near = sides(line, line.step);
  // Near the point the function may be infinite or undefined.
  for (int k = 0; k < kLooks && !near.finite() && std::isfinite(analytic) &&
                  near.step / kFiner >= kSteps * line.spacing;
       ++k)
    near = sides(line, near.step / kFiner);
  CheckedElement e = smooth(line, analytic, near);
  if (!near.finite() || !std::isfinite(analytic)) {
    e.kind = CheckedElement::Kind::not_finite;
    e.error = NAN;
    return e;
  }
  const auto clear = [&] {
    return e.error <= kSure &&
           near.gap() <= kBentRounding * near.resolution + kBent * near.steepest();
  };
  if (clear()) return e;
  if (line.rounding->measure()) {
    near.resolution = line.rounding->error() / near.step;
    e = smooth(line, analytic, near);
    if (clear()) return e;
  }
  return look_closer(line, analytic, near, e);
}

}  // namespace hindsight::detail
