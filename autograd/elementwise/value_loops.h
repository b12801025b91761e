#pragma once
#include <hindsight/autograd/elementwise/chain_rule.h>
#include <hindsight/autograd/elementwise/kernels.h>

/// A program as two loops over vector registers: one computes its value, the other applies the
/// chain rule with the intermediate values in registers.
namespace hindsight::detail {

template <class T>
struct ForwardNumbers : Registers<T> {
  static constexpr bool kEveryValue = true;
  static constexpr SavedValues kSavedValues = SavedValues::store;
};
template <class T>
struct BackwardNumbers : Registers<T> {
  static constexpr bool kEveryValue = false;
  static constexpr SavedValues kSavedValues = SavedValues::load;
};

/// The position of one vector: pointers to the start of its row, and its offset `j` in the row.
/// Offsets are in elements. The last vector of a row, a Tail, has only the first `count` lanes.
template <class T>
struct Position {
  const T* const* in;
  T* saved;
  Size saved_plane;
  T* const* to;
  const bool* accumulate;
  Size j;
  Size count;
};

template <class T, bool Tail>
struct Cursor {
  const Position<T>& at;

  template <int L, bool Wanted>
  HINDSIGHT_INLINE void load(simd::Batch<T>* value) const {
    if constexpr (Wanted && Tail) {
      *value = simd::load_first(at.in[L] + at.j, at.count);
    } else if constexpr (Wanted) {
      *value = simd::load(at.in[L] + at.j);
    }
  }
  HINDSIGHT_INLINE simd::Batch<T> saved_value(int slot) const {
    return simd::load(at.saved + slot * at.saved_plane + at.j);
  }
  HINDSIGHT_INLINE void save(int slot, const simd::Batch<T>& value) const {
    if (at.saved) simd::store(at.saved + slot * at.saved_plane + at.j, value);
  }
  template <int L>
  HINDSIGHT_INLINE void add(const simd::Batch<T>& gradient) const {
    T* to = at.to[L];
    if (!to) return;
    to += at.j;
    const simd::Batch<T> sum = at.accumulate[L] ? simd::load(to) + gradient : gradient;
    if constexpr (Tail) {
      simd::store_first(to, sum, at.count);
    } else {
      simd::store(to, sum);
    }
  }
};

template <class P, class T>
void forward_loop(const void* program, const ForwardRows& r) {
  const P& p = *static_cast<const P*>(program);
  constexpr int kLeaves = leaves_of<P>;
  std::array<const T*, kLeaves> in;
  for (int k = 0; k < kLeaves; ++k)
    in[static_cast<std::size_t>(k)] = static_cast<const T*>(r.in[k]);
  T* out = static_cast<T*>(r.out);
  Position<T> at{in.data(), static_cast<T*>(r.saved), r.saved_plane, nullptr, nullptr, 0, 0};
  for (Size row = 0; row < r.rows; ++row) {
    ChainNode<ForwardNumbers<T>, P, 0, 0, true> values;
    for (at.j = 0; at.j + simd::kWidth<T> <= r.length; at.j += simd::kWidth<T>) {
      values.compute(p, Cursor<T, false>{at});
      simd::store(out + at.j, values.value);
    }
    if (at.j < r.length) {
      at.count = r.length - at.j;
      values.compute(p, Cursor<T, true>{at});
      simd::store_first(out + at.j, values.value, at.count);
    }
    for (int k = 0; k < kLeaves; ++k) in[static_cast<std::size_t>(k)] += r.in_step[k];
    out += r.out_step;
    if (at.saved) at.saved += r.saved_row;
  }
}

template <class P, class T>
void backward_loop(const void* program, const BackwardRows& r) {
  const P& p = *static_cast<const P*>(program);
  constexpr int kLeaves = leaves_of<P>;
  std::array<const T*, kLeaves> in;
  std::array<T*, kLeaves> to;
  for (int k = 0; k < kLeaves; ++k) {
    in[static_cast<std::size_t>(k)] = static_cast<const T*>(r.in[k]);
    to[static_cast<std::size_t>(k)] = static_cast<T*>(r.to[k]);
  }
  const T* gradient = static_cast<const T*>(r.gradient);
  Position<T> at{in.data(),
                 static_cast<T*>(const_cast<void*>(r.saved)),
                 r.saved_plane,
                 to.data(),
                 r.accumulate,
                 0,
                 0};
  for (Size row = 0; row < r.rows; ++row) {
    ChainNode<BackwardNumbers<T>, P, 0, 0, false> values;
    for (at.j = 0; at.j + simd::kWidth<T> <= r.length; at.j += simd::kWidth<T>) {
      const Cursor<T, false> cursor{at};
      values.compute(p, cursor);
      values.propagate(p, simd::load(gradient + at.j), cursor);
    }
    if (at.j < r.length) {
      at.count = r.length - at.j;
      const Cursor<T, true> cursor{at};
      values.compute(p, cursor);
      values.propagate(p, simd::load(gradient + at.j), cursor);
    }
    gradient += r.gradient_step;
    if (at.saved) at.saved += r.saved_row;
    for (int k = 0; k < kLeaves; ++k) {
      const auto i = static_cast<std::size_t>(k);
      if (in[i]) in[i] += r.in_step[k];
      if (!to[i]) continue;
      to[i] += r.to_step[k];
      if (r.to_step[k] == 0) r.accumulate[k] = true;  // later rows of a repeated operand add
    }
  }
}

}  // namespace hindsight::detail
