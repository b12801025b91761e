#pragma once
#include <hindsight/autograd/elementwise/kernels.h>

#include <algorithm>
#include <array>

/// The loops of a fused operation over an output and its operands in memory.
namespace hindsight::detail {

/// The loops over an output and its operands: axes that are evenly spaced in memory for all of them
/// are merged into groups. Group 0 is the innermost (the elements of a row), group 1 counts rows,
/// the others enclose these. Steps are in elements.
struct LoopNest {
  int groups = 0;
  int leaves = 0;
  bool dense = true;  ///< every operand has stride 1 along a row
  std::array<Size, kMaxRank> extent{};
  std::array<std::array<Size, kMaxOperands>, kMaxRank> step;  // [group][leaf], elements
  static constexpr std::array<Size, kMaxOperands> kNoStep{};

  /// Whether separate calls of a loop may write to the same element of a leaf's gradient.
  bool repeats(std::size_t leaf) const {
    bool result = !dense;
    for (int g = 2; g < groups; ++g)
      result = result || step[static_cast<std::size_t>(g)][leaf] == 0;
    return result;
  }
  Size length() const { return extent[0]; }  ///< elements of a row
  /// Rows that one call of a loop covers: evenly spaced for every leaf.
  Size even_rows() const { return groups > 1 ? extent[1] : 1; }
  /// Elements from one such row to the next, for each leaf.
  const Size* row_step() const { return groups > 1 ? step[1].data() : kNoStep.data(); }
  Size rows() const {
    Size count = 1;
    for (int g = 1; g < groups; ++g) count *= extent[static_cast<std::size_t>(g)];
    return count;
  }
};

/// layout_of(k) is the layout of leaf k; null for an absent operand, which never prevents merging
/// axes.
template <class LayoutOf>
LoopNest make_loop_nest(const Shape& shape, int leaves, LayoutOf&& layout_of) {
  LoopNest loops;
  loops.leaves = leaves;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const Size extent = shape[axis];
    if (extent == 1) continue;
    const auto g = static_cast<std::size_t>(loops.groups);
    auto& step = loops.step[g];
    bool merges = loops.groups > 0;
    for (int k = 0; k < leaves; ++k) {
      const auto i = static_cast<std::size_t>(k);
      const Layout* layout = layout_of(k);
      const Size even = g == 0 ? 1 : loops.step[g - 1][i] * loops.extent[g - 1];
      const int own = layout ? axis - (shape.rank() - layout->rank()) : 0;
      step[i] = !layout ? even : own < 0 || layout->shape[own] == 1 ? 0 : layout->stride(own);
      merges = merges && step[i] == even;
    }
    if (merges) {
      loops.extent[g - 1] *= extent;
    } else {
      loops.extent[g] = extent;
      ++loops.groups;
    }
  }
  if (loops.groups == 0) {
    loops.groups = 1;
    loops.extent[0] = 1;
    std::fill_n(loops.step[0].data(), leaves, 1);
  }
  for (int k = 0; k < leaves; ++k)
    loops.dense = loops.dense && loops.step[0][static_cast<std::size_t>(k)] == 1;
  return loops;
}

/// Where saved values are: a plane for each value of a row, padded to whole vectors. Sizes and
/// steps are in elements.
struct SavedLayout {
  Size plane, row;
  SavedLayout(const LoopNest& loops, int saved)
      : plane((loops.length() + 15) & ~Size{15}), row(plane * saved) {}
  Size elements(const LoopNest& loops) const { return row * loops.rows(); }
};

/// Computes a program's value. in[k] is null for leaves that its loop does not read; `saved` is
/// null if nothing is saved. All pointers are to the first element.
void run_forward(const FusedKernels& kernels, const void* program, const LoopNest& loops,
                 DType dtype, const void* const* in, std::byte* out, std::byte* saved);

/// Propagates the gradient of a program's value to its leaves.
struct BackwardPass {
  BackwardPass(const FusedKernels& k, const void* p, const LoopNest& l, DType t, const std::byte* g,
               const std::byte* saved_values)
      : kernels(k), program(p), loops(l), dtype(t), gradient(g), saved(saved_values) {}

  const FusedKernels& kernels;
  const void* program;
  const LoopNest& loops;
  DType dtype;
  const std::byte* gradient;
  const std::byte* saved;
  // For each leaf; null if its value is not read or its gradient not needed.
  std::array<const void*, kMaxOperands> in;
  std::array<void*, kMaxOperands> to;
  std::array<bool, kMaxOperands> accumulate;

  void run() { loops.dense ? run_dense() : run_blocks(); }

 private:
  void run_dense();   ///< whole rows, several at a time
  void run_blocks();  ///< parts of a row; operands that are not dense are gathered
  const std::byte* saved_at(const SavedLayout& layout, Size row, Size j) const {
    return saved ? saved + (row * layout.row + j) * bytes_of(dtype) : nullptr;
  }
};

}  // namespace hindsight::detail
