#include <hindsight/autograd/finite.h>
#include <hindsight/autograd/fused.h>
#include <hindsight/autograd/lenders.h>
#include <hindsight/autograd/profile.h>
#include <hindsight/autograd/sweep.h>

namespace hindsight::detail {
namespace {

constexpr Size kBlock = 512;  // elements gathered at a time where an operand is not dense

/// The loops over an output and its operands: axes that lie evenly in memory for all are merged.
/// Group 0 is the innermost (the row), group 1 counts rows, the others lie outside.
struct Loops {
  int groups = 0;
  int leaves = 0;
  bool dense = true;  ///< every operand has stride 1 along a row
  std::array<Size, kMaxRank> extent{};
  std::array<std::array<Size, kMaxLeaves>, kMaxRank> step;  // [group][leaf], elements

  Size length() const { return extent[0]; }
  Size rows() const {
    Size count = 1;
    for (int g = 1; g < groups; ++g) count *= extent[static_cast<std::size_t>(g)];
    return count;
  }
};

template <class LayoutOf>
Loops make_loops(const Shape& shape, int leaves, LayoutOf&& layout_of) {
  Loops loops;
  loops.leaves = leaves;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const Size extent = shape[axis];
    if (extent == 1) continue;
    const auto g = static_cast<std::size_t>(loops.groups);
    auto& step = loops.step[g];
    bool merges = loops.groups > 0;
    for (int k = 0; k < leaves; ++k) {
      const Layout& layout = layout_of(k);
      const int own = axis - (shape.rank() - layout.rank());
      const auto i = static_cast<std::size_t>(k);
      step[i] = own < 0 || layout.shape[own] == 1 ? 0 : layout.stride(own);
      merges = merges && step[i] == loops.step[g - 1][i] * loops.extent[g - 1];
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
    loops.step[0].fill(1);
  }
  if (loops.groups == 1) loops.step[1].fill(0);  // one row: no step to the next
  for (int k = 0; k < leaves; ++k)
    loops.dense = loops.dense && loops.step[0][static_cast<std::size_t>(k)] == 1;
  return loops;
}

/// Walks the groups from `inner` on; calls f(index of the first row, offsets of the leaves).
template <class F>
void for_each_outer(const Loops& loops, int inner, Size rows_inside, F&& f) {
  std::array<Size, kMaxLeaves> offset;
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

/// Where the kept values of a row lie: planes padded to whole vectors.
struct KeptLayout {
  Size plane, row;
  KeptLayout(const Loops& loops, int kept)
      : plane((loops.length() + 15) / 16 * 16), row(plane * kept) {}
  Size elements(const Loops& loops) const { return row * loops.rows(); }
};

/// Elements between `count` of `from`, `step` apart, and dense `to`.
void gather(const std::byte* from, Size step, std::byte* to, Size count, DType dtype) {
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (Size i = 0; i < count; ++i)
      reinterpret_cast<T*>(to)[i] = reinterpret_cast<const T*>(from)[i * step];
  });
}

void scatter_add(const std::byte* from, std::byte* to, Size step, Size count, DType dtype) {
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    for (Size i = 0; i < count; ++i)
      reinterpret_cast<T*>(to)[i * step] += reinterpret_cast<const T*>(from)[i];
  });
}

void run_forward(const FusedKernels& kernels, const void* program, const Loops& loops, DType dtype,
                 const std::byte* const* in, std::byte* out, std::byte* kept) {
  const auto kernel = kernels.forward[static_cast<int>(dtype)];
  const Size bytes = bytes_of(dtype);
  const KeptLayout layout(loops, kernels.kept);
  std::array<const void*, kMaxLeaves> from;
  const auto kept_at = [&](Size row, Size j) {
    return kept ? kept + (row * layout.row + j) * bytes : nullptr;
  };
  if (loops.dense) {
    const Size rows = loops.groups > 1 ? loops.extent[1] : 1;
    for_each_outer(loops, 2, rows, [&](Size row, const Size* offset) {
      for (int k = 0; k < loops.leaves; ++k)
        from[static_cast<std::size_t>(k)] = in[k] + offset[k] * bytes;
      kernel(program, {rows, loops.length(), from.data(), loops.step[1].data(),
                       out + row * loops.length() * bytes, loops.length(), kept_at(row, 0),
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
        const std::byte* start = in[k] + (offset[i] + j * step) * bytes;
        from[i] = start;
        if (step == 1) continue;
        std::byte* dense = scratch.data<std::byte>() + k * kBlock * bytes;
        gather(start, step, dense, count, dtype);
        from[i] = dense;
      }
      kernel(program,
             {1, count, from.data(), loops.step[1].data(), out + (row * loops.length() + j) * bytes,
              0, kept_at(row, j), layout.row, layout.plane});
    }
  });
}

struct BackwardPass {
  BackwardPass(const FusedKernels& k, const void* p, const Loops& l, DType t, const std::byte* g,
               const std::byte* kept_values)
      : kernels(k), program(p), loops(l), dtype(t), gradient(g), kept(kept_values) {}

  const FusedKernels& kernels;
  const void* program;
  const Loops& loops;
  DType dtype;
  const std::byte* gradient;
  const std::byte* kept;
  // Of each leaf; null where its value is not read or its gradient not wanted.
  std::array<const std::byte*, kMaxLeaves> in;
  std::array<std::byte*, kMaxLeaves> to;
  std::array<bool, kMaxLeaves> accumulate;

  void run() {
    const auto kernel = kernels.backward[static_cast<int>(dtype)];
    const Size bytes = bytes_of(dtype);
    const KeptLayout layout(loops, kernels.kept);
    std::array<const void*, kMaxLeaves> from;
    std::array<void*, kMaxLeaves> target;
    const auto kept_at = [&](Size row, Size j) {
      return kept ? kept + (row * layout.row + j) * bytes : nullptr;
    };
    const auto n = static_cast<std::size_t>(loops.leaves);
    if (loops.dense) {
      const Size rows = loops.groups > 1 ? loops.extent[1] : 1;
      for_each_outer(loops, 2, rows, [&](Size row, const Size* offset) {
        for (std::size_t i = 0; i < n; ++i) {
          from[i] = in[i] ? in[i] + offset[i] * bytes : nullptr;
          target[i] = to[i] ? to[i] + offset[i] * bytes : nullptr;
        }
        std::array<bool, kMaxLeaves> flags;  // the loop sets them after its first row
        std::copy_n(accumulate.data(), n, flags.data());
        kernel(program,
               {rows, loops.length(), from.data(), loops.step[1].data(),
                gradient + row * loops.length() * bytes, loops.length(), kept_at(row, 0),
                layout.row, layout.plane, target.data(), loops.step[1].data(), flags.data()});
      });
      return;
    }
    const Buffer scratch(2 * kBlock * bytes * loops.leaves);
    const auto block = [&](std::size_t i) {
      return scratch.data<std::byte>() + static_cast<Size>(i) * kBlock * bytes;
    };
    std::array<bool, kMaxLeaves> accumulate_block = accumulate;
    for (std::size_t i = 0; i < n; ++i)
      accumulate_block[i] = to[i] && accumulate[i] && loops.step[0][i] == 1;
    for_each_outer(loops, 1, 1, [&](Size row, const Size* offset) {
      for (Size j = 0; j < loops.length(); j += kBlock) {
        const Size count = std::min(kBlock, loops.length() - j);
        for (std::size_t i = 0; i < n; ++i) {
          const Size step = loops.step[0][i], at = (offset[i] + j * step) * bytes;
          from[i] = in[i] ? in[i] + at : nullptr;
          target[i] = to[i] ? to[i] + at : nullptr;
          if (step == 1) continue;
          if (in[i]) {
            gather(in[i] + at, step, block(2 * i), count, dtype);
            from[i] = block(2 * i);
          }
          if (to[i]) target[i] = block(2 * i + 1);
        }
        std::array<bool, kMaxLeaves> flags = accumulate_block;
        kernel(program,
               {1, count, from.data(), loops.step[1].data(),
                gradient + (row * loops.length() + j) * bytes, 0, kept_at(row, j), layout.row,
                layout.plane, target.data(), loops.step[1].data(), flags.data()});
        for (std::size_t i = 0; i < n; ++i) {
          const Size step = loops.step[0][i];
          if (to[i] && step != 1)
            scatter_add(block(2 * i + 1), to[i] + (offset[i] + j * step) * bytes, step, count,
                        dtype);
        }
      }
    });
  }
};

}  // namespace

Variable evaluate(const FusedKernels& kernels, const void* program, const Variable* const* leaves,
                  FusedOperation* (*record)(const void* program, const Variable* const* leaves,
                                            std::uint64_t tape)) {
  for (int k = 0; k < kernels.leaves; ++k) {
    if (!*leaves[k]) fail("{}: an operand is an empty Variable", kernels.name);
  }
  Shape shape = leaves[0]->shape();
  const DType dtype = leaves[0]->dtype();
  const Tape* tape = Tape::current();
  const std::uint64_t id = tape ? tape->id() : 0;
  bool recorded = tape && leaves[0]->node()->tape == id;
  for (int k = 1; k < kernels.leaves; ++k) {
    if (!broadcasts_to(leaves[k]->shape(), shape))
      shape = broadcast_shapes(kernels.joins[k], shape, leaves[k]->shape());
    if (leaves[k]->dtype() != dtype) {
      fail<DTypeError>("{}: {} and {} operands are mixed; convert one", kernels.joins[k],
                       name(dtype), name(leaves[k]->dtype()));
    }
    recorded = recorded || (tape && leaves[k]->node()->tape == id);
  }
  const ProfileTimer timer;
  Node* node = Node::make(dtype, shape);
  Variable output(node, Layout(shape));
  node->value = Buffer(shape.elements() * bytes_of(dtype));
  const Loops loops = make_loops(shape, kernels.leaves,
                                 [&](int k) -> const Layout& { return leaves[k]->layout(); });
  Buffer kept;
  if (recorded && kernels.kept)
    kept = Buffer(KeptLayout(loops, kernels.kept).elements(loops) * bytes_of(dtype));
  if (shape.elements() > 0) {
    std::array<const std::byte*, kMaxLeaves> in;
    for (int k = 0; k < kernels.leaves; ++k) {
      const Node* leaf = leaves[k]->node();
      in[static_cast<std::size_t>(k)] = leaf->value.data<std::byte>() +
                                        (leaf->base + leaves[k]->layout().offset) * bytes_of(dtype);
    }
    run_forward(kernels, program, loops, dtype, in.data(), node->value.data<std::byte>(),
                kept ? kept.data<std::byte>() : nullptr);
  }
  if (recorded) {
    FusedOperation* operation = record(program, leaves, id);
    operation->kept_ = std::move(kept);
    operation->record_output(output);
  }
  if (finite_checks()) check_finite(kernels.name, output);
  return output;
}

void FusedOperation::run() {
  Node* node = output_.node();
  node->value = Buffer(node->shape.elements() * bytes_of(node->dtype));
  if (node->shape.elements() == 0) return;
  const Loops loops = make_loops(node->shape, kernels_->leaves,
                                 [&](int k) -> const Layout& { return operands_[k].layout(); });
  std::array<const std::byte*, kMaxLeaves> in;
  for (int k = 0; k < kernels_->leaves; ++k) {
    const Operand& o = operands_[k];
    in[static_cast<std::size_t>(k)] = o.node()->value.data<std::byte>() +
                                      (o.node()->base + o.layout().offset) * bytes_of(node->dtype);
  }
  run_forward(*kernels_, program_, loops, node->dtype, in.data(), node->value.data<std::byte>(),
              nullptr);
}

void FusedOperation::backward(Sweep& sweep) {
  if (sweep.recorded()) return kernels_->derive(*this, sweep, sweep.gradient_variable(output_));
  const DType dtype = output_.node()->dtype;
  const Shape& shape = output_.shape();
  const Size bytes = bytes_of(dtype);
  if (shape.elements() == 0) return;
  const Loops loops = make_loops(shape, kernels_->leaves,
                                 [&](int k) -> const Layout& { return operands_[k].layout(); });
  const Tensor gradient = Sweep::gradient(output_);
  BackwardPass pass(*kernels_, program_, loops, dtype, gradient.bytes(),
                    kept_ ? kept_.data<std::byte>() : nullptr);

  const auto leaves = static_cast<std::size_t>(kernels_->leaves);
  const auto zero_first = [&](std::size_t i) {
    operands_[i].node()->gradient->memory(operands_[i].layout(), dtype).fill(0);
    pass.accumulate[i] = true;
  };
  const auto claim = [&](std::size_t i) {
    const Operand& o = operands_[i];
    const Gradient::Target target = Sweep::target(o);
    pass.to[i] = target.base;
    pass.accumulate[i] = target.accumulate;
    if (target.accumulate) {
      // An operand that meets another part of the same value here: what that one was to assign may
      // be added to before it is reached.
      for (std::size_t j = 0; j < i; ++j) {
        if (pass.to[j] && !pass.accumulate[j] && operands_[j].node() == o.node() &&
            !(operands_[j].layout() == o.layout()))
          zero_first(j);
      }
      return;
    }
    bool repeats = !loops.dense;
    for (int g = 2; g < loops.groups; ++g)
      repeats = repeats || loops.step[static_cast<std::size_t>(g)][i] == 0;
    if (repeats) zero_first(i);
  };

  Lenders lenders(operands_, kernels_->leaves, kernels_->adjoint, shape);
  for (std::size_t i = 0; i < leaves; ++i) {
    pass.to[i] = nullptr;
    if (operands_[i].wanted() && lenders.of(i) == Lenders::kNone) claim(i);
  }
  lenders.borrow(pass.accumulate.data());
  for (std::size_t i = 0; i < leaves; ++i) {
    if (operands_[i].wanted() && lenders.of(i) == Lenders::kNone && !pass.to[i]) claim(i);
  }
  for (std::size_t i = 0; i < leaves; ++i) {  // only now: claiming may move a gradient
    const Operand& o = operands_[i];
    pass.in[i] = kernels_->reads_leaf[i] ? o.node()->value.data<std::byte>() +
                                               (o.node()->base + o.layout().offset) * bytes
                                         : nullptr;
    if (pass.to[i]) pass.to[i] = o.node()->gradient->base() + o.layout().offset * bytes;
  }
  pass.run();
}

void add_gradient(Sweep& sweep, const Operand& to, const Variable& gradient) {
  sweep.add(to, gradient);
}

}  // namespace hindsight::detail
