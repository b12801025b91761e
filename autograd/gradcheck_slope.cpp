#include <hindsight/autograd/gradcheck_slope.h>

#include <algorithm>
#include <cmath>

namespace hindsight {
namespace {

constexpr double kFiner = 64;  // the second look's step is so much smaller, and its rounding larger
// Sides further apart than this share of their slopes, or so many times the rounding, get the
// second look. A smooth function bends by 1e-6 of its curvature.
constexpr double kBent = 1e-4, kBentRounding = 100;
constexpr double kClear = 4;     // times the rounding, for a difference that means something
constexpr double kStays = 0.1;   // a smooth function's sides come 64 times closer
constexpr double kGrows = 4;     // a jump's slope grows 64 times
constexpr double kSteadies = 2;  // a slope that has a limit grows by less

struct Sides {
  double left, right, central;
  double gap() const { return std::abs(right - left); }
  double steepest() const { return std::max(std::abs(left), std::abs(right)); }
  bool finite() const { return std::isfinite(left) && std::isfinite(right); }
};

Sides sides(const Line& line, double step) {
  const double ahead = line.value(step), behind = line.value(-step);
  return {(line.at_zero - behind) / step, (ahead - line.at_zero) / step,
          (ahead - behind) / (2 * step)};
}

/// How far `analytic` lies outside of [low, high], over what is allowed.
double error_of(const Line& line, double analytic, double low, double high, double finer) {
  const double distance =
      std::isnan(analytic) ? analytic : std::max({low - analytic, analytic - high, 0.0});
  const double magnitude = std::max({std::abs(analytic), std::abs(low), std::abs(high)});
  return distance / (finer * line.absolute + line.relative * magnitude);
}

/// At a jump: the derivative of a side whose slope has a limit.
double error_beside_jump(const Line& line, double analytic, const Sides& near, const Sides& fine) {
  double error = INFINITY;
  const auto compare = [&](double coarse, double slope) {
    if (std::abs(slope) <= kSteadies * std::abs(coarse) + kClear * kFiner * line.absolute)
      error = std::min(error, error_of(line, analytic, slope, slope, kFiner));
  };
  compare(near.left, fine.left);
  compare(near.right, fine.right);
  return error;
}

void look_closer(const Line& line, const Sides& near, CheckedElement* e) {
  const Sides fine = sides(line, line.step / kFiner);
  if (!fine.finite()) return;
  const double clear = kClear * kFiner * line.absolute;
  if (fine.steepest() > clear && fine.steepest() > kGrows * near.steepest()) {
    e->kind = CheckedElement::Kind::jump;
    e->error = error_beside_jump(line, e->analytic, near, fine);
  } else if (fine.gap() > clear && fine.gap() > kStays * near.gap()) {
    e->kind = CheckedElement::Kind::kink;
    const auto [low, high] = std::minmax(fine.left, fine.right);
    e->error = error_of(line, e->analytic, low, high, kFiner);
  } else if (error_of(line, near.central, fine.central, fine.central, 1) > 1) {
    // The function bends within the step: only the smaller one tells the derivative.
    e->numeric = fine.central;
    e->error = error_of(line, e->analytic, fine.central, fine.central, kFiner);
  } else {
    return;
  }
  e->left = fine.left;
  e->right = fine.right;
}

}  // namespace

CheckedElement compare_slope(const Line& line, double analytic) {
  const Sides near = sides(line, line.step);
  CheckedElement e;
  e.analytic = analytic;
  e.numeric = near.central;
  e.left = near.left;
  e.right = near.right;
  e.error = error_of(line, analytic, near.central, near.central, 1);
  if (!near.finite() || !std::isfinite(analytic)) {
    e.kind = CheckedElement::Kind::not_finite;
    e.error = NAN;
    return e;
  }
  const bool bent = near.gap() > kBentRounding * line.absolute + kBent * near.steepest();
  if (bent || !e.passed()) look_closer(line, near, &e);
  return e;
}

}  // namespace hindsight
