#pragma once
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/scan.h>
#include <hindsight/autograd/tensor/blas.h>
#include <hindsight/autograd/tensor/parallel.h>
#include <hindsight/autograd/tensor/pool.h>

#include <algorithm>
#include <type_traits>

/// Before a loop over several arrays: no iteration reads what another one writes, so that registers
/// may hold several. The compiler cannot see it where the arrays are many.
#if defined(__clang__) && defined(HINDSIGHT_ADDRESS_SANITIZER)
#define HINDSIGHT_INDEPENDENT_ITERATIONS  // clang++ warns where the sanitizers prevent it
#elif defined(__clang__)
#define HINDSIGHT_INDEPENDENT_ITERATIONS _Pragma("clang loop vectorize(assume_safety)")
#else
#define HINDSIGHT_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#endif

/// Loops over the lines of a tensor along an axis, each of whose elements depends on the one
/// before it.
namespace hindsight::detail {

inline hindsight::Direction opposite(hindsight::Direction direction) {
  return direction == hindsight::Direction::forward ? hindsight::Direction::reverse
                                                    : hindsight::Direction::forward;
}

/// The lines of a shape along an axis, one for each index of the other axes: line l has `count`
/// elements, `inner` apart, from element start(l).
struct Lines {
  Size outer = 1, count, inner = 1;

  Lines(const Shape& shape, int axis) : count(shape[axis]) {
    for (int i = 0; i < axis; ++i) outer *= shape[i];
    for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  }
  Size total() const { return outer * inner; }
  Size start(Size line) const { return line / inner * count * inner + line % inner; }
};

/// Some of them. No line depends on another, so that threads can share them out.
struct Range {
  Size first, last;
};

// Lines in a block: their running values stay in the first-level cache, and a row of the block
// fills whole pages of memory, without which a long scan takes twice the time.
constexpr Size kBlock = 2048;

/// Calls f(range) for ranges that cover all lines: on as many threads as a product may use, where
/// each has enough elements to be worth waking it.
template <class F>
void for_all_lines(const Lines& lines, F&& f) {
  constexpr Size kWorthAThread = Size{1} << 17;  // elements; some 30 us
  const Size total = lines.total(), elements = total * lines.count;
  const Size parts =
      std::min({static_cast<Size>(blas::threads()), elements / kWorthAThread, total});
  if (parts < 2) return f(Range{0, total});
  parallel_for(static_cast<int>(parts), [&](int part) {
    f(Range{total * part / parts, total * (part + 1) / parts});
  });
}

/// Calls f(line, width) for blocks of `width` neighbouring lines, one element apart. A width of 1,
/// as along the last axis, is a constant of the compiler, so that a register holds the value.
template <class F>
void for_each_block(const Lines& lines, Range range, F&& f) {
  for (Size line = range.first; line < range.last;) {
    const Size width = std::min({kBlock, range.last - line, lines.inner - line % lines.inner});
    if (width == 1) {
      f(line, std::integral_constant<Size, 1>());
    } else {
      f(line, width);
    }
    line += width;
  }
}

/// Fills `out` along the lines: each element is step(position, running), where `running` is the
/// value of the element before it, in double; for the first one it is start(line).
template <class T, class Start, class Step>
void scan(const Lines& lines, Range range, hindsight::Direction direction, T* out, Start&& start,
          Step&& step) {
  for_each_block(lines, range, [&](Size line, auto width) {
    double running[kBlock];
    for (Size j = 0; j < width; ++j) running[j] = start(line + j);
    const bool forward = direction == hindsight::Direction::forward;
    const Size first = lines.start(line);
    for (Size k = 0; k < lines.count; ++k) {
      const Size row = first + (forward ? k : lines.count - 1 - k) * lines.inner;
      for (Size j = 0; j < width; ++j) {
        running[j] = step(row + j, running[j]);
        out[row + j] = static_cast<T>(running[j]);
      }
    }
  });
}

/// The same for all lines of `out`, from one value.
template <class T, class Step>
void scan(const Tensor& out, int axis, double start, hindsight::Direction direction, Step&& step) {
  const Lines lines(out.shape(), axis);
  for_all_lines(lines, [&](Range range) {
    scan(
        lines, range, direction, out.data<T>(), [=](Size) { return start; }, step);
  });
}

/// Replaces element i by the one before it (in reverse, after it), or by `edge` at the end.
inline Variable shifted(const Variable& x, int axis, hindsight::Direction direction,
                        const Variable& edge) {
  const Size rest = x.size(axis) - 1;
  if (direction == hindsight::Direction::forward)
    return concat({edge, slice(x, axis, 0, rest)}, axis);
  return concat({slice(x, axis, 1, rest), edge}, axis);
}

inline Variable shifted(const Variable& x, int axis, hindsight::Direction direction) {
  Shape one = x.shape();
  one.set(axis, 1);
  return shifted(x, axis, direction, Variable(Tensor::zeros(one, x.dtype())));
}

}  // namespace hindsight::detail
