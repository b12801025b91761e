// Views and other rearrangements.
#include "chooser.h"
#include "operations.h"

namespace hindsight::random_programs {
namespace {

using In = const Call&;

/// Numbers from `from` on, as sizes, a shape or (Number = int) axes.
template <class List, class Number = Size>
List numbers_from(In x, std::size_t from) {
  List result;
  for (std::size_t i = from; i < x.step.numbers.size(); ++i)
    result.push_back(static_cast<Number>(x.number(i)));
  return result;
}

Size size_of(Chooser& choose, const Step& step) {
  return choose.value(step.inputs[0])
      .size(
          checked_axis("size_of", static_cast<int>(step.numbers[0]), choose.rank(step.inputs[0])));
}

bool choose_slice(Chooser& choose, Step& step) {
  if (!value_and_axis()(choose, step)) return false;
  const Size size = size_of(choose, step), by = choose.chance(0.6) ? 1 : choose.between(2, 3);
  const Size start = choose.below(size + 1), most = (size - start + by - 1) / by;
  if (most == 0 && !choose.chance(0.1)) return false;
  step.numbers.insert(step.numbers.end(), {start, most == 0 ? 0 : choose.between(1, most), by});
  return true;
}

bool choose_element(Chooser& choose, Step& step) {
  if (!value_of_rank(1)(choose, step)) return false;
  const Size size = choose.value(step.inputs[0]).size(0);
  if (size == 0) return false;
  step.numbers = {choose.below(size)};
  return true;
}

bool choose_transpose(Chooser& choose, Step& step) {
  if (!value_of_rank(2)(choose, step)) return false;
  const int rank = choose.rank(step.inputs[0]);
  step.numbers = {choose.axis(rank), choose.axis(rank)};
  return true;
}

bool choose_permute(Chooser& choose, Step& step) {
  if (!value_of_rank(2)(choose, step)) return false;
  const int rank = choose.rank(step.inputs[0]);
  for (int i = 0; i < rank; ++i) step.numbers.push_back(i);
  for (int i = rank - 1; i > 0; --i)
    std::swap(step.numbers[static_cast<std::size_t>(i)],
              step.numbers[static_cast<std::size_t>(choose.below(i + 1))]);
  return true;
}

// Merges some axes, splits one of them, or all of it; one size may be left to the library.
bool choose_reshape(Chooser& choose, Step& step) {
  if (!values(1)(choose, step)) return false;
  const Shape& shape = choose.shape(step.inputs[0]);
  std::vector<Size>& sizes = step.numbers;
  for (int i = 0; i < shape.rank(); ++i) {
    if (!sizes.empty() && choose.chance(0.4)) {
      sizes.back() *= shape[i];
    } else if (shape[i] > 2 && shape[i] % 2 == 0 && choose.chance(0.4)) {
      sizes.insert(sizes.end(), {2, shape[i] / 2});
    } else {
      sizes.push_back(shape[i]);
    }
  }
  if (choose.chance(0.15)) sizes.insert(sizes.begin(), 1);
  if (!sizes.empty() && shape.elements() > 0 && choose.chance(0.3))
    sizes[static_cast<std::size_t>(choose.below(static_cast<Size>(sizes.size())))] = -1;
  return sizes.size() <= 5;
}

bool choose_unsqueeze(Chooser& choose, Step& step) {
  if (!values(1)(choose, step) || choose.rank(step.inputs[0]) > 4) return false;
  step.numbers = {choose.axis(choose.rank(step.inputs[0]) + 1)};
  return true;
}

bool choose_squeeze(Chooser& choose, Step& step) {
  const auto has_one = [](const Variable& v) {
    for (int i = 0; i < v.rank(); ++i) {
      if (v.size(i) == 1) return true;
    }
    return false;
  };
  step.inputs = {choose.any(has_one)};
  if (step.inputs[0] < 0) return false;
  int axis = 0;
  while (choose.value(step.inputs[0]).size(axis) != 1) ++axis;
  step.numbers = {axis};
  return true;
}

bool choose_broadcast(Chooser& choose, Step& step) {
  if (!values(1)(choose, step)) return false;
  const Shape& shape = choose.shape(step.inputs[0]);
  if (shape.rank() < 4 && choose.chance(0.6)) step.numbers.push_back(choose.between(1, 3));
  for (int i = 0; i < shape.rank(); ++i)
    step.numbers.push_back(shape[i] == 1 ? choose.between(1, 4) : shape[i]);
  return true;
}

// Several values that differ, if at all, along one axis.
bool choose_concat(Chooser& choose, Step& step) {
  if (!value_and_axis()(choose, step)) return false;
  const Shape shape = choose.shape(step.inputs[0]);
  const int axis = checked_axis("concat", static_cast<int>(step.numbers[0]), shape.rank());
  const Size more = choose.between(0, 2);
  for (Size i = 0; i < more; ++i) {
    int id = choose.any([&](const Variable& v) {
      Shape other = v.shape();
      if (other.rank() != shape.rank()) return false;
      other.set(axis, shape[axis]);
      return other == shape;
    });
    if (choose.chance(0.3)) {
      Shape other = shape;
      other.set(axis, choose.between(1, 3));
      id = choose.leaf(other);
    }
    if (id < 0) return false;
    step.inputs.push_back(id);
  }
  return true;
}

bool choose_stack(Chooser& choose, Step& step) {
  if (!values(1)(choose, step)) return false;
  const Shape shape = choose.shape(step.inputs[0]);
  if (shape.rank() > 3) return false;
  const Size more = choose.between(0, 2);
  for (Size i = 0; i < more; ++i) {
    step.inputs.push_back(choose.shaped(shape));
    if (step.inputs.back() < 0) return false;
  }
  step.numbers = {choose.axis(shape.rank() + 1)};
  return true;
}

// Numbers: axis, which part, sizes.
bool choose_split(Chooser& choose, Step& step) {
  if (!value_and_axis()(choose, step)) return false;
  Size left = size_of(choose, step);
  std::vector<Size> sizes;
  while (sizes.size() < 3 && left > 0) {
    sizes.push_back(choose.between(choose.chance(0.1) ? 0 : 1, left));
    left -= sizes.back();
  }
  sizes.push_back(left);
  step.numbers.push_back(choose.below(static_cast<Size>(sizes.size())));
  step.numbers.insert(step.numbers.end(), sizes.begin(), sizes.end());
  return true;
}

bool choose_unstack(Chooser& choose, Step& step) {
  if (!value_and_axis()(choose, step) || size_of(choose, step) == 0) return false;
  step.numbers.push_back(choose.below(size_of(choose, step)));
  return true;
}

bool choose_chunk(Chooser& choose, Step& step) {
  const auto even = [](const Variable& v) { return v.rank() > 0 && v.shape().back() % 2 == 0; };
  step.inputs = {choose.any(even)};
  step.numbers = {choose.below(2)};
  return step.inputs[0] >= 0;
}

bool choose_axes(Chooser& choose, Step& step) {
  if (!value_of_rank(1)(choose, step)) return false;
  for (int i = 0; i < choose.rank(step.inputs[0]); ++i) {
    if (choose.chance(0.5)) step.numbers.push_back(i);
  }
  return true;
}

bool choose_lengths(Chooser& choose, Step& step) {
  step.seed = choose.seed();
  return value_of_rank(2)(choose, step);
}

Variable run_flip_rows(In x) {
  Rng rng(x.step.seed);
  std::vector<Size> lengths;
  for (Size b = 0; b < x[0].size(1); ++b) lengths.push_back(rng.below(x[0].size(0) + 1));
  return reverse_sequence(x[0], lengths);
}

bool choose_pad(Chooser& choose, Step& step) {
  if (!value_and_axis()(choose, step)) return false;
  step.numbers.insert(step.numbers.end(), {choose.below(3), choose.below(3)});
  step.reals = {choose.chance(0.5) ? 0.0 : 0.25};
  return true;
}

// The parts lie one after the other along an axis, and overlap by some elements. Numbers: axis,
// overlap.
bool choose_assemble(Chooser& choose, Step& step) {
  if (!choose_concat(choose, step)) return false;
  step.numbers.push_back(choose.below(3));
  return true;
}

Variable run_assemble(In x) {
  const int axis = checked_axis("assemble", x.axis(0), x[0].rank());
  Shape whole = x[0].shape();
  std::vector<Size> starts;
  Size end = 1;
  for (const Variable& part : x.in) {
    starts.push_back(std::max<Size>(0, end - x.number(1)));
    end = starts.back() + part.size(axis);
  }
  whole.set(axis, end + 1);
  std::vector<Layout> regions;
  for (std::size_t i = 0; i < x.in.size(); ++i)
    regions.push_back(Layout(whole).slice(axis, starts[i], x[i].size(axis)));
  return assemble(whole, regions, x.in);
}

}  // namespace

const std::vector<Operation>& shape_operations() {
  static const std::vector<Operation> kAll = {
      {"slice(%0, #0, #1, #2, #3)", choose_slice,
       [](In x) { return slice(x[0], x.axis(0), x.number(1), x.number(2), x.number(3)); }},
      {"%0[#0]", choose_element, [](In x) { return x[0][x.number(0)]; }},
      {"transpose(%0, #0, #1)", choose_transpose,
       [](In x) { return transpose(x[0], x.axis(0), x.axis(1)); }},
      {"permute(%0, {#*})", choose_permute,
       [](In x) { return permute(x[0], numbers_from<Axes, int>(x, 0)); }},
      {"reshape(%0, {#*})", choose_reshape,
       [](In x) {
         const auto sizes = numbers_from<std::vector<Size>>(x, 0);
         switch (sizes.size()) {
           case 0:
             return reshape(x[0], Shape{});
           case 1:
             return reshape(x[0], {sizes[0]});
           case 2:
             return reshape(x[0], {sizes[0], sizes[1]});
           case 3:
             return reshape(x[0], {sizes[0], sizes[1], sizes[2]});
           case 4:
             return reshape(x[0], {sizes[0], sizes[1], sizes[2], sizes[3]});
           default:
             return reshape(x[0], {sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]});
         }
       }},
      {"squeeze(%0, #0)", choose_squeeze, [](In x) { return squeeze(x[0], x.axis(0)); }},
      {"unsqueeze(%0, #0)", choose_unsqueeze, [](In x) { return unsqueeze(x[0], x.axis(0)); }},
      {"broadcast_to(%0, {#*})", choose_broadcast,
       [](In x) { return broadcast_to(x[0], numbers_from<Shape>(x, 0)); }},
      {"contiguous(%0)", values(1), [](In x) { return contiguous(x[0]); }},
      {"concat({%*}, #0)", choose_concat, [](In x) { return concat(x.in, x.axis(0)); }},
      {"stack({%*}, #0)", choose_stack, [](In x) { return stack(x.in, x.axis(0)); }},
      {"unstack(%0, #0)[#1]", choose_unstack,
       [](In x) { return unstack(x[0], x.axis(0)).at(static_cast<std::size_t>(x.number(1))); }},
      {"split(%0, {#2...}, #0)[#1]", choose_split,
       [](In x) {
         return split(x[0], numbers_from<std::vector<Size>>(x, 2), x.axis(0))
             .at(static_cast<std::size_t>(x.number(1)));
       }},
      {"chunk<2>(%0)[#0]", choose_chunk,
       [](In x) { return chunk<2>(x[0])[static_cast<std::size_t>(x.number(0))]; }},
      {"flip(%0, {#*})", choose_axes,
       [](In x) { return flip(x[0], numbers_from<Axes, int>(x, 0)); }},
      {"reverse_sequence(%0, lengths ~)", choose_lengths, run_flip_rows},
      {"pad(%0, #0, #1, #2, $0)", choose_pad,
       [](In x) { return pad(x[0], x.axis(0), x.number(1), x.number(2), x.real(0)); }},
      {"assemble({%*} along axis #0, overlapping by #1)", choose_assemble, run_assemble},
  };
  return kAll;
}

}  // namespace hindsight::random_programs
