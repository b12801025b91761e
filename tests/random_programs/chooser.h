#pragma once
#include <functional>
#include <vector>

#include "execution.h"

namespace hindsight::random_programs {

/// What a step under construction can be given: values that are there, and new leaves.
class Chooser {
 public:
  explicit Chooser(Program& program) : program_(program), rng_(program.seed) {}

  Rng& rng() { return rng_; }
  Size below(Size count) { return rng_.below(count); }
  Size between(Size low, Size high) { return low + below(high - low + 1); }
  bool chance(double probability) { return rng_.uniform() < probability; }
  std::uint64_t seed() { return rng_.bits() >> 40; }

  const Variable& value(int id) const { return values[static_cast<std::size_t>(id)]; }
  const Shape& shape(int id) const { return value(id).shape(); }
  int rank(int id) const { return shape(id).rank(); }
  int new_id() { return program_.ids++; }

  /// Any value, rather a young one; of those that `fits` accepts, or -1.
  int any();
  int any(const std::function<bool(const Variable&)>& fits);
  /// A value of this shape, which is a new leaf where there is none, or at times.
  int shaped(const Shape& shape, Leaf::Values values = Leaf::Values::around_zero);
  /// A value that broadcasts with this shape, likewise.
  int broadcasting(const Shape& shape);
  int leaf(const Shape& shape, Leaf::Values values = Leaf::Values::around_zero);
  Shape some_shape();
  /// An axis of a value of that rank, counted from either end.
  Size axis(int rank);

  Environment values;          ///< of all steps so far
  std::vector<int> available;  ///< what the next step may read

 private:
  Shape broadcast_to_it(Shape shape);

  Program& program_;
  Rng rng_;
};

/// How operations choose: n values that broadcast with each other.
std::function<bool(Chooser&, Step&)> values(int count);
/// The same, one of them far enough above 0 for logarithms and the like.
constexpr double kLeastPositive = 0.25;
std::function<bool(Chooser&, Step&)> values_with_positive(int count, std::size_t which);
/// One of at least this rank.
std::function<bool(Chooser&, Step&)> value_of_rank(int least);
/// The same, and then an axis as number 0.
std::function<bool(Chooser&, Step&)> value_and_axis();

/// Smallest distance of the elements to any of some numbers.
double distance(const Variable& x, const std::vector<double>& from);
/// Smallest distance between elements of two values that broadcast.
double distance(const Variable& a, const Variable& b);
/// How far the smallest element is above a number.
double above(const Variable& x, double low);

}  // namespace hindsight::random_programs
