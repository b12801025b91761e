#include <hindsight/autograd/tensor/layout.h>

namespace hindsight {

void Layout::throw_bad_stride(Size stride) const {
  fail<ShapeError>("shape {}: a stride of {} elements; at most {} are supported", shape, stride,
                   INT32_MAX);
}

std::pair<Size, Size> Layout::range() const {
  Size first = offset, last = offset;
  for (int i = 0; i < rank(); ++i) (stride(i) < 0 ? first : last) += (shape[i] - 1) * stride(i);
  return {first, last};
}

Layout Layout::permute(const std::array<int, kMaxRank>& axes) const {
  Layout result = *this;
  for (int i = 0; i < rank(); ++i) {
    const auto from = static_cast<std::size_t>(axes[static_cast<std::size_t>(i)]);
    result.shape.set(i, shape[static_cast<int>(from)]);
    result.strides[static_cast<std::size_t>(i)] = strides[from];
  }
  return result;
}

Layout Layout::broadcast_to(const Shape& wider) const {
  Layout result;
  result.offset = offset;
  result.shape = wider;
  const int extra = wider.rank() - rank();
  for (int i = 0; i < rank(); ++i) {
    if (shape[i] == wider[i + extra]) {
      result.strides[static_cast<std::size_t>(i + extra)] = strides[static_cast<std::size_t>(i)];
    }
  }
  return result;
}

bool Layout::reshape(const Shape& wanted, Layout* result) const {
  Layout reshaped(wanted);
  reshaped.offset = offset;
  if (contiguous() || wanted.elements() == 0) {
    *result = reshaped;
    return true;
  }
  std::array<int, kMaxRank> axes{};  // of more than one element; the strides of others do not count
  int count = 0;
  for (int i = 0; i < rank(); ++i) {
    if (shape[i] != 1) axes[static_cast<std::size_t>(count++)] = i;
  }
  const auto size_of = [&](int i) { return shape[axes[static_cast<std::size_t>(i)]]; };
  const auto stride_of = [&](int i) { return stride(axes[static_cast<std::size_t>(i)]); };
  // Every group of wanted axes must cover a group of own axes that one stride steps through.
  int own = 0, target = 0;
  while (target < wanted.rank()) {
    const int own_start = own, target_start = target;
    Size have = 1, need = wanted[target++];
    while (have != need) {
      if (have < need) {
        if (own >= count) return false;
        have *= size_of(own++);
      } else {
        if (target >= wanted.rank()) return false;
        need *= wanted[target++];
      }
    }
    for (int i = own_start; i + 1 < own; ++i) {
      if (stride_of(i) != stride_of(i + 1) * size_of(i + 1)) return false;
    }
    Size step = own > own_start ? stride_of(own - 1) : 1;
    for (int i = target - 1; i >= target_start; --i) {
      if (step > INT32_MAX && wanted[i] > 1) return false;
      reshaped.set_stride(i, step);
      step *= wanted[i];
    }
  }
  *result = reshaped;
  return true;
}

}  // namespace hindsight
