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
void gather(const void* from, Size step, void* to, Size count, DType dtype) {
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (Size i = 0; i < count; ++i) static_cast<T*>(to)[i] = static_cast<const T*>(from)[i * step];
  });
}

/// Adds `count` contiguous elements of `from` to `to`, `step` elements apart.
void scatter_add(const void* from, void* to, Size step, Size count, DType dtype) {
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (Size i = 0; i < count; ++i)
      static_cast<T*>(to)[i * step] += static_cast<const T*>(from)[i];
  });
}

const void* moved(const void* start, Size bytes) {
  return start ? static_cast<const std::byte*>(start) + bytes : nullptr;
}
void* moved(void* start, Size bytes) {
  return start ? static_cast<std::byte*>(start) + bytes : nullptr;
}

/// The addresses at the offsets of the leaves.
template <class Address>
void move_all(const Address* start, const Size* offset, Size bytes, int count,
              std::array<Address, kMaxOperands>* result) {
  for (int k = 0; k < count; ++k)
    (*result)[static_cast<std::size_t>(k)] = moved(start[k], offset[k] * bytes);
}

}  // namespace

void run_forward(const FusedKernels& kernels, const void* program, const LoopNest& loops,
                 DType dtype, const void* const* in, std::byte* out, std::byte* saved) {
  const auto kernel = kernels.forward[static_cast<int>(dtype)];
  const Size bytes = bytes_of(dtype);
  const SavedLayout layout(loops, kernels.saved);
  const auto saved_at = [&](Size row, Size j) {
    return saved ? saved + (row * layout.row + j) * bytes : nullptr;
  };
  std::array<const void*, kMaxOperands> from;
  if (loops.dense) {
    const Size count = loops.even_rows(), length = loops.length();
    ForwardRows rows{count,  length, in,         loops.row_step(), out,
                     length, saved,  layout.row, layout.plane};
    if (loops.groups <= 2) return kernel(program, rows);
    rows.in = from.data();
    for_each_outer(loops, 2, count, [&](Size row, const Size* offset) {
      move_all(in, offset, bytes, loops.leaves, &from);
      rows.out = out + row * length * bytes;
      rows.saved = saved_at(row, 0);
      kernel(program, rows);
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
        from[i] = moved(in[k], (offset[i] + j * step) * bytes);
        if (step == 1 || !from[i]) continue;
        std::byte* dense = scratch.data<std::byte>() + k * kBlock * bytes;
        gather(from[i], step, dense, count, dtype);
        from[i] = dense;
      }
      kernel(program,
             {1, count, from.data(), loops.row_step(), out + (row * loops.length() + j) * bytes, 0,
              saved_at(row, j), layout.row, layout.plane});
    }
  });
}

void BackwardPass::run_dense() {
  const auto kernel = kernels.backward[static_cast<int>(dtype)];
  const Size bytes = bytes_of(dtype), count = loops.even_rows(), length = loops.length();
  const SavedLayout layout(loops, kernels.saved);
  BackwardRows rows{
      count, length,     in.data(),    loops.row_step(), gradient,         length,
      saved, layout.row, layout.plane, to.data(),        loops.row_step(), accumulate.data()};
  if (loops.groups <= 2) return kernel(program, rows);
  std::array<const void*, kMaxOperands> from;
  std::array<void*, kMaxOperands> target;
  std::array<bool, kMaxOperands> flags;
  rows.in = from.data();
  rows.to = target.data();
  rows.accumulate = flags.data();
  for_each_outer(loops, 2, count, [&](Size row, const Size* offset) {
    move_all(in.data(), offset, bytes, loops.leaves, &from);
    move_all(to.data(), offset, bytes, loops.leaves, &target);
    std::copy_n(accumulate.data(), loops.leaves, flags.data());  // the loop sets them
    rows.gradient = gradient + row * length * bytes;
    rows.saved = saved_at(layout, row, 0);
    kernel(program, rows);
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
        from[i] = moved(in[i], at);
        target[i] = moved(to[i], at);
        flags[i] = to[i] && accumulate[i] && step == 1;
        if (step == 1) continue;
        if (in[i]) {
          gather(from[i], step, block(2 * i), count, dtype);
          from[i] = block(2 * i);
        }
        if (to[i]) target[i] = block(2 * i + 1);
      }
      kernels.backward[static_cast<int>(dtype)](
          program, {1, count, from.data(), loops.row_step(),
                    gradient + (row * loops.length() + j) * bytes, 0, saved_at(layout, row, j),
                    layout.row, layout.plane, target.data(), loops.row_step(), flags.data()});
      for (std::size_t i = 0; i < n; ++i) {
        const Size step = loops.step[0][i];
        if (to[i] && step != 1)
          scatter_add(block(2 * i + 1), moved(to[i], (offset[i] + j * step) * bytes), step, count,
                      dtype);
      }
    }
  });
}

}  // namespace hindsight::detail
