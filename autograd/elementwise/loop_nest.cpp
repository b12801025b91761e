#include <hindsight/autograd/elementwise/loop_nest.h>

namespace hindsight::detail {
namespace {

constexpr Size kBlock = 512;  // elements gathered at a time if an operand is not dense

/// Loops over the groups from `inner` on; calls f(index of the first row, offsets of the leaves in
/// elements).
template <class F>
void for_each_outer(const LoopNest& loops, int inner, Size rows_inside, F&& f) {
  std::array<Size, kMaxOperands> offset;
  std::array<Size, kMaxRank> index{};
  std::fill_n(offset.data(), loops.leaves, 0);
  for (Size row = 0;; row += rows_inside) {
    f(row, offset.data());
    int g = inner;
    for (; g < loops.groups; ++g) {
      const auto i = static_cast<std::size_t>(g);
      for (int k = 0; k < loops.leaves; ++k)
        offset[static_cast<std::size_t>(k)] += loops.step[i][static_cast<std::size_t>(k)];
      if (++index[i] < loops.extent[i]) break;
      for (int k = 0; k < loops.leaves; ++k) {
        offset[static_cast<std::size_t>(k)] -=
            loops.step[i][static_cast<std::size_t>(k)] * loops.extent[i];
      }
      index[i] = 0;
    }
    if (g >= loops.groups) return;
  }
}

/// Copies `count` elements of `from`, `step` elements apart, to contiguous `to`.
void gather(const std::byte* from, Size step, std::byte* to, Size count, DType dtype) {
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (Size i = 0; i < count; ++i)
      reinterpret_cast<T*>(to)[i] = reinterpret_cast<const T*>(from)[i * step];
  });
}

/// Adds `count` contiguous elements of `from` to `to`, `step` elements apart.
void scatter_add(const std::byte* from, std::byte* to, Size step, Size count, DType dtype) {
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (Size i = 0; i < count; ++i)
      reinterpret_cast<T*>(to)[i * step] += reinterpret_cast<const T*>(from)[i];
  });
}

}  // namespace

void run_forward(const FusedKernels& kernels, const void* program, const LoopNest& loops,
                 DType dtype, const std::byte* const* in, std::byte* out, std::byte* saved) {
  const auto kernel = kernels.forward[static_cast<int>(dtype)];
  const Size bytes = bytes_of(dtype);
  const SavedLayout layout(loops, kernels.saved);
  std::array<const void*, kMaxOperands> from;
  const auto saved_at = [&](Size row, Size j) {
    return saved ? saved + (row * layout.row + j) * bytes : nullptr;
  };
  if (loops.dense) {
    const Size rows = loops.groups > 1 ? loops.extent[1] : 1;
    for_each_outer(loops, 2, rows, [&](Size row, const Size* offset) {
      for (int k = 0; k < loops.leaves; ++k)
        from[static_cast<std::size_t>(k)] = in[k] ? in[k] + offset[k] * bytes : nullptr;
      kernel(program, {rows, loops.length(), from.data(), loops.step[1].data(),
                       out + row * loops.length() * bytes, loops.length(), saved_at(row, 0),
                       layout.row, layout.plane});
    });
    return;
  }
  const Buffer scratch(kBlock * bytes * loops.leaves);
  for_each_outer(loops, 1, 1, [&](Size row, const Size* offset) {
    for (Size j = 0; j < loops.length(); j += kBlock) {
      const Size count = std::min(kBlock, loops.length() - j);
      for (int k = 0; k < loops.leaves; ++k) {
        const auto i = static_cast<std::size_t>(k);
        const Size step = loops.step[0][i];
        const std::byte* start = in[k] ? in[k] + (offset[i] + j * step) * bytes : nullptr;
        from[i] = start;
        if (step == 1 || !start) continue;
        std::byte* dense = scratch.data<std::byte>() + k * kBlock * bytes;
        gather(start, step, dense, count, dtype);
        from[i] = dense;
      }
      kernel(program,
             {1, count, from.data(), loops.step[1].data(), out + (row * loops.length() + j) * bytes,
              0, saved_at(row, j), layout.row, layout.plane});
    }
  });
}

void BackwardPass::run_dense() {
  const Size bytes = bytes_of(dtype), rows = loops.groups > 1 ? loops.extent[1] : 1;
  const SavedLayout layout(loops, kernels.saved);
  const auto n = static_cast<std::size_t>(loops.leaves);
  std::array<const void*, kMaxOperands> from;
  std::array<void*, kMaxOperands> target;
  for_each_outer(loops, 2, rows, [&](Size row, const Size* offset) {
    for (std::size_t i = 0; i < n; ++i) {
      from[i] = in[i] ? in[i] + offset[i] * bytes : nullptr;
      target[i] = to[i] ? to[i] + offset[i] * bytes : nullptr;
    }
    std::array<bool, kMaxOperands> flags;  // the loop sets them after its first row
    std::copy_n(accumulate.data(), n, flags.data());
    kernels.backward[static_cast<int>(dtype)](
        program, {rows, loops.length(), from.data(), loops.step[1].data(),
                  gradient + row * loops.length() * bytes, loops.length(), saved_at(layout, row, 0),
                  layout.row, layout.plane, target.data(), loops.step[1].data(), flags.data()});
  });
}

void BackwardPass::run_blocks() {
  const Size bytes = bytes_of(dtype);
  const SavedLayout layout(loops, kernels.saved);
  const auto n = static_cast<std::size_t>(loops.leaves);
  const Buffer scratch(2 * kBlock * bytes * loops.leaves);
  const auto block = [&](std::size_t i) {
    return scratch.data<std::byte>() + static_cast<Size>(i) * kBlock * bytes;
  };
  std::array<const void*, kMaxOperands> from;
  std::array<void*, kMaxOperands> target;
  for_each_outer(loops, 1, 1, [&](Size row, const Size* offset) {
    for (Size j = 0; j < loops.length(); j += kBlock) {
      const Size count = std::min(kBlock, loops.length() - j);
      std::array<bool, kMaxOperands> flags;
      for (std::size_t i = 0; i < n; ++i) {
        const Size step = loops.step[0][i], at = (offset[i] + j * step) * bytes;
        from[i] = in[i] ? in[i] + at : nullptr;
        target[i] = to[i] ? to[i] + at : nullptr;
        flags[i] = to[i] && accumulate[i] && step == 1;
        if (step == 1) continue;
        if (in[i]) gather(in[i] + at, step, block(2 * i), count, dtype);
        if (in[i]) from[i] = block(2 * i);
        if (to[i]) target[i] = block(2 * i + 1);
      }
      kernels.backward[static_cast<int>(dtype)](
          program, {1, count, from.data(), loops.step[1].data(),
                    gradient + (row * loops.length() + j) * bytes, 0, saved_at(layout, row, j),
                    layout.row, layout.plane, target.data(), loops.step[1].data(), flags.data()});
      for (std::size_t i = 0; i < n; ++i) {
        const Size step = loops.step[0][i];
        if (to[i] && step != 1)
          scatter_add(block(2 * i + 1), to[i] + (offset[i] + j * step) * bytes, step, count, dtype);
      }
    }
  });
}

}  // namespace hindsight::detail
