#include "shrink.h"

#include <algorithm>
#include <set>

#include "execution.h"
#include "text.h"

namespace hindsight::random_programs {
namespace {

using Fails = std::function<bool(const Program&)>;
using Steps = std::vector<Step>;

void rename(std::vector<int>& ids, int from, int to) {
  std::replace(ids.begin(), ids.end(), from, to);
}

/// Reads of one value become reads of another.
void rename(Program& program, int from, int to) {
  for_each_step(program.steps, [&](Step& step) {
    rename(step.inputs, from, to);
    rename(step.results, from, to);
  });
  for (Output& output : program.outputs) {
    if (output.id == from) output.id = to;
  }
}

/// Leaves that nothing reads go.
void drop_unread_leaves(Program& program) {
  std::set<int> read;
  for_each_step(program.steps, [&](const Step& step) {
    read.insert(step.inputs.begin(), step.inputs.end());
    read.insert(step.results.begin(), step.results.end());
  });
  for (const Output& output : program.outputs) read.insert(output.id);
  auto& leaves = program.leaves;
  leaves.erase(std::remove_if(leaves.begin(), leaves.end(),
                              [&](const Leaf& leaf) { return !read.count(leaf.id); }),
               leaves.end());
}

/// Tries changes of a program and keeps those that still fail.
class Shrinker {
 public:
  Shrinker(Program program, const Fails& fails, const std::function<bool()>& go_on)
      : program_(std::move(program)), fails_(fails), go_on_(go_on) {}

  Program run() {
    bool shorter = true;
    while (shorter && go_on_()) {
      shorter = false;
      const auto pass = [&](bool (Shrinker::*change)()) { shorter = (this->*change)() || shorter; };
      pass(&Shrinker::drop_outputs);
      pass(&Shrinker::drop_steps);
      pass(&Shrinker::open_bodies);
      pass(&Shrinker::pass_by);
      pass(&Shrinker::simplify_regions);
      pass(&Shrinker::simplify_leaves);
      pass(&Shrinker::shrink_sizes);
      pass(&Shrinker::shrink_numbers);
    }
    return program_;
  }

 private:
  bool keep_if_failing(Program candidate) {
    if (!go_on_()) return false;
    prepare(candidate);
    drop_unread_leaves(candidate);
    if (candidate.outputs.empty() || !fails_(candidate)) return false;
    program_ = std::move(candidate);
    return true;
  }
  template <class F>
  bool attempt(const F& change) {
    Program candidate = program_;
    return change(candidate) && keep_if_failing(std::move(candidate));
  }

  /// Calls try_at(position) from the last to the first, as often as there are things to change.
  template <class F>
  static bool from_the_end(std::size_t count, const F& try_at) {
    bool changed = false;
    for (std::size_t i = count; i-- > 0;) changed = try_at(i) || changed;
    return changed;
  }

  std::size_t step_count() {
    std::size_t count = 0;
    for_each_step(program_.steps, [&](const Step&) { ++count; });
    return count;
  }
  /// The list that holds step number n (as for_each_step counts) of a program, and its place there.
  static bool find(Steps& steps, std::size_t& n, Steps** list, std::size_t* place) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (n-- == 0) {
        *list = &steps;
        *place = i;
        return true;
      }
      if (find(steps[i].body, n, list, place)) return true;
    }
    return false;
  }
  /// Changes step n of a copy: change(program, list, place) says whether it did.
  template <class F>
  bool attempt_step(std::size_t n, const F& change) {
    return attempt([&](Program& candidate) {
      Steps* list = nullptr;
      std::size_t place = 0;
      return find(candidate.steps, n, &list, &place) && change(candidate, *list, place);
    });
  }

  bool drop_outputs() {
    return from_the_end(program_.outputs.size(), [&](std::size_t i) {
      return program_.outputs.size() > 1 && attempt([&](Program& candidate) {
               candidate.outputs.erase(candidate.outputs.begin() + static_cast<std::ptrdiff_t>(i));
               return true;
             });
    });
  }

  // What a step gives becomes leaves.
  bool drop_steps() {
    return from_the_end(step_count(), [&](std::size_t n) {
      const auto shapes = shapes_of(program_);
      for (const Leaf::Values values : {Leaf::Values::around_zero, Leaf::Values::positive}) {
        if (attempt_step(n, [&](Program& candidate, Steps& list, std::size_t place) {
              for (const int id : list[place].outputs) {
                const auto shape = shapes.find(id);
                if (shape == shapes.end()) return false;
                candidate.leaves.push_back({id, Leaf::Kind::watched, values, shape->second,
                                            static_cast<std::uint64_t>(id)});
              }
              list.erase(list.begin() + static_cast<std::ptrdiff_t>(place));
              return true;
            }))
          return true;
      }
      return false;
    });
  }

  // A checkpoint's body stands in its place.
  bool open_bodies() {
    return from_the_end(step_count(), [&](std::size_t n) {
      return attempt_step(n, [](Program&, Steps& list, std::size_t place) {
        if (list[place].kind != Step::Kind::checkpoint) return false;
        const Steps body = list[place].body;
        const auto at = list.erase(list.begin() + static_cast<std::ptrdiff_t>(place));
        list.insert(at, body.begin(), body.end());
        return true;
      });
    });
  }

  // An input of the same shape takes the place of what a step gives, or a leaf that of another.
  bool pass_by() {
    const auto shapes = shapes_of(program_);
    const bool steps = from_the_end(step_count(), [&](std::size_t n) {
      bool changed = false;
      for (std::size_t i = 0; i < 3 && !changed; ++i) {
        changed = attempt_step(n, [&](Program& candidate, Steps& list, std::size_t place) {
          const Step step = list[place];
          if (step.kind != Step::Kind::operation || i >= step.inputs.size()) return false;
          const auto from = shapes.find(step.outputs[0]), to = shapes.find(step.inputs[i]);
          if (from == shapes.end() || to == shapes.end() || from->second != to->second)
            return false;
          list.erase(list.begin() + static_cast<std::ptrdiff_t>(place));
          rename(candidate, step.outputs[0], step.inputs[i]);
          return true;
        });
      }
      return changed;
    });
    const bool leaves = from_the_end(program_.leaves.size(), [&](std::size_t i) {
      bool changed = false;
      for (std::size_t j = 0; j < i && !changed; ++j) {
        changed = attempt([&](Program& candidate) {
          if (i >= candidate.leaves.size()) return false;
          const Leaf &from = candidate.leaves[i], &to = candidate.leaves[j];
          if (from.shape != to.shape) return false;
          rename(candidate, from.id, to.id);
          return true;
        });
      }
      return changed;
    });
    return steps || leaves;
  }

  // A checkpoint captures what it was passed and returns less.
  bool simplify_regions() {
    return from_the_end(step_count(), [&](std::size_t n) {
      bool changed = false;
      for (std::size_t i = 4; i-- > 0;) {
        for (const bool input : {false, true}) {
          changed = attempt_step(n,
                                 [&](Program&, Steps& list, std::size_t place) {
                                   Step& step = list[place];
                                   if (step.kind != Step::Kind::checkpoint) return false;
                                   std::vector<int>& ids = input ? step.inputs : step.results;
                                   if (i >= ids.size() || ids.size() == 1) return false;
                                   ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i));
                                   step.outputs = step.results;
                                   return true;
                                 }) ||
                    changed;
        }
      }
      return changed;
    });
  }

  bool simplify_leaves() {
    bool changed = attempt([](Program& p) { return !std::exchange(p.keep, true); });
    changed =
        attempt([](Program& p) { return std::exchange(p.dtype, DType::f64) != DType::f64; }) ||
        changed;
    return from_the_end(
               program_.leaves.size(),
               [&](std::size_t i) {
                 for (const Leaf::Kind kind : {Leaf::Kind::constant, Leaf::Kind::watched}) {
                   if (attempt([&](Program& candidate) {
                         if (i >= candidate.leaves.size()) return false;
                         const Leaf::Kind before = std::exchange(candidate.leaves[i].kind, kind);
                         return before != Leaf::Kind::constant && before != kind;
                       }))
                     return true;
                 }
                 return false;
               }) ||
           changed;
  }

  // A size shrinks wherever it stands, in leaves and in numbers; then in leaves alone.
  bool shrink_sizes() {
    std::set<Size> sizes;
    for (const Leaf& leaf : program_.leaves) {
      for (int axis = 0; axis < leaf.shape.rank(); ++axis) sizes.insert(leaf.shape[axis]);
    }
    bool changed = false;
    for (auto size = sizes.rbegin(); size != sizes.rend(); ++size) {
      for (const Size to : {Size{1}, Size{2}, Size{3}, *size / 2, *size - 1}) {
        if (to >= *size || to < 1) continue;
        if (attempt([&](Program& p) { return resize(p, *size, to, true); }) ||
            attempt([&](Program& p) { return resize(p, *size, to, false); })) {
          changed = true;
          break;
        }
      }
    }
    return changed;
  }
  static bool resize(Program& program, Size from, Size to, bool numbers) {
    for (Leaf& leaf : program.leaves) {
      for (int axis = 0; axis < leaf.shape.rank(); ++axis) {
        if (leaf.shape[axis] == from) leaf.shape.set(axis, to);
      }
    }
    for_each_step(program.steps, [&](Step& step) {
      if (numbers) std::replace(step.numbers.begin(), step.numbers.end(), from, to);
    });
    return true;
  }

  bool shrink_numbers() {
    return from_the_end(step_count(), [&](std::size_t n) {
      bool changed = false;
      for (std::size_t i = 0; i < 12; ++i) {
        for (const Size to : {0, 1, 2}) {
          if (attempt_step(n, [&](Program&, Steps& list, std::size_t place) {
                auto& numbers = list[place].numbers;
                if (i >= numbers.size() || numbers[i] <= to) return false;
                numbers[i] = to;
                return true;
              })) {
            changed = true;
            break;
          }
        }
      }
      return changed;
    });
  }

  Program program_;
  const Fails& fails_;
  const std::function<bool()>& go_on_;
};

}  // namespace

Program shrink(Program program, const Fails& fails, const std::function<bool()>& go_on) {
  return Shrinker(std::move(program), fails, go_on).run();
}

}  // namespace hindsight::random_programs
