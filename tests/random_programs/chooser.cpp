#include "chooser.h"

#include <algorithm>
#include <cmath>

namespace hindsight::random_programs {
namespace {

constexpr std::size_t kMostLeaves = 9;

}  // namespace

int Chooser::any() {
  return any([](const Variable&) { return true; });
}

int Chooser::any(const std::function<bool(const Variable&)>& fits) {
  std::vector<int> fitting;
  for (const int id : available) {
    if (fits(value(id))) fitting.push_back(id);
  }
  if (fitting.empty()) return -1;
  // Young values rather than old ones, so that programs get deep.
  const double place = 1 - std::pow(rng_.uniform(), 2);
  return fitting[std::min(fitting.size() - 1,
                          static_cast<std::size_t>(place * static_cast<double>(fitting.size())))];
}

int Chooser::shaped(const Shape& shape, Leaf::Values kind) {
  if (kind == Leaf::Values::around_zero && !chance(0.3)) {
    const int id = any([&](const Variable& v) { return v.shape() == shape; });
    if (id >= 0) return id;
  }
  return leaf(shape, kind);
}

int Chooser::broadcasting(const Shape& shape) {
  if (!chance(0.25)) {
    const int id = any([&](const Variable& v) {
      return broadcasts_to(v.shape(), shape) || broadcasts_to(shape, v.shape());
    });
    if (id >= 0) return id;
  }
  return leaf(broadcast_to_it(shape));
}

// A shape that broadcasts to the given one: some axes of one element, some left out.
Shape Chooser::broadcast_to_it(Shape shape) {
  if (chance(0.5)) return shape;
  for (int i = 0; i < shape.rank(); ++i) {
    if (chance(0.4)) shape.set(i, 1);
  }
  while (shape.rank() > 0 && chance(0.25)) shape.erase(0);
  return shape;
}

int Chooser::leaf(const Shape& shape, Leaf::Values kind) {
  if (program_.leaves.size() >= kMostLeaves) return -1;
  Leaf leaf;
  leaf.id = new_id();
  leaf.shape = shape;
  leaf.seed = seed();
  const double which = rng_.uniform();
  leaf.kind = which < 0.45   ? Leaf::Kind::watched
              : which < 0.85 ? Leaf::Kind::parameter
                             : Leaf::Kind::constant;
  leaf.values = kind;
  if (kind == Leaf::Values::around_zero && chance(0.4))
    leaf.values = chance(0.5) ? Leaf::Values::positive : Leaf::Values::away_from_zero;
  program_.leaves.push_back(leaf);
  // Its value, in the simplest way.
  Program alone;
  alone.leaves = {leaf};
  alone.leaves[0].kind = Leaf::Kind::watched;
  values.resize(static_cast<std::size_t>(program_.ids));
  values[static_cast<std::size_t>(leaf.id)] = Instance(alone, DType::f64).inputs()[0];
  return leaf.id;
}

Shape Chooser::some_shape() {
  const double kind = rng_.uniform();
  // Large enough to share gradients, rows of whole pages, and none at all.
  if (kind < 0.05) return {between(8, 12), 257};
  if (kind < 0.08) return {2, between(9, 14), 120};
  if (kind < 0.11) return {between(2, 5), chance(0.5) ? 512 : 1024};
  if (kind < 0.15) return chance(0.5) ? Shape{0, 3} : Shape{between(1, 3), 0};
  Shape shape;
  static const int kRanks[] = {0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4};
  const int rank = kRanks[below(11)];
  for (int i = 0; i < rank; ++i)
    shape.push_back(chance(0.12) ? 1 : chance(0.1) ? between(8, 19) : between(2, 6));
  return shape;
}

Size Chooser::axis(int rank) { return chance(0.3) ? -between(1, rank) : below(rank); }

std::function<bool(Chooser&, Step&)> values(int count) {
  return [count](Chooser& choose, Step& step) {
    step.inputs = {choose.any()};
    if (step.inputs[0] < 0) return false;
    Shape shape = choose.shape(step.inputs[0]);
    for (int i = 1; i < count; ++i) {
      const int id = choose.broadcasting(shape);
      if (id < 0) return false;
      step.inputs.push_back(id);
      shape = broadcast_shapes("values", shape, choose.shape(id));
    }
    for (std::size_t i = 1; i < step.inputs.size(); ++i) {
      if (choose.chance(0.5)) std::swap(step.inputs[0], step.inputs[i]);
    }
    return true;
  };
}

std::function<bool(Chooser&, Step&)> values_with_positive(int count, std::size_t which) {
  return [count, which](Chooser& choose, Step& step) {
    int id = choose.any([](const Variable& v) { return above(v, kLeastPositive) > 0; });
    if (id < 0) id = choose.leaf(choose.some_shape(), Leaf::Values::positive);
    if (id < 0) return false;
    while (static_cast<int>(step.inputs.size()) < count)
      step.inputs.push_back(choose.broadcasting(choose.shape(id)));
    step.inputs[which] = id;
    return std::count(step.inputs.begin(), step.inputs.end(), -1) == 0;
  };
}

std::function<bool(Chooser&, Step&)> value_of_rank(int least) {
  return [least](Chooser& choose, Step& step) {
    step.inputs = {choose.any([&](const Variable& v) { return v.rank() >= least; })};
    return step.inputs[0] >= 0;
  };
}

std::function<bool(Chooser&, Step&)> value_and_axis() {
  return [](Chooser& choose, Step& step) {
    if (!value_of_rank(1)(choose, step)) return false;
    step.numbers = {choose.axis(choose.rank(step.inputs[0]))};
    return true;
  };
}

double distance(const Variable& x, const std::vector<double>& from) {
  double result = 1;
  const Tensor t = x.value();
  for (Size i = 0; i < t.elements(); ++i) {
    for (const double f : from) result = std::min(result, std::abs(t.at(i) - f));
  }
  return result;
}

double distance(const Variable& a, const Variable& b) { return distance(Variable(a - b), {0}); }

double above(const Variable& x, double low) {
  double result = 1;
  const Tensor t = x.value();
  for (Size i = 0; i < t.elements(); ++i) result = std::min(result, t.at(i) - low);
  return result;
}

}  // namespace hindsight::random_programs
