#include <hindsight/autograd/layout.h>

#include <algorithm>

namespace hindsight {

const char* name(DType dtype) { return dtype == DType::f32 ? "float32" : "float64"; }

void Shape::refuse(Size size) const {
  if (rank() == kMaxRank) fail<ShapeError>("shape: at most {} axes are supported", kMaxRank);
  fail<ShapeError>("shape: an axis of {} elements; 0 to {} are supported", size, INT32_MAX);
}

void Shape::refuse_size() const {
  fail<ShapeError>(
      "shape {}: at most {} elements from the second axis on, and 2^50 in all, are supported",
      *this, INT32_MAX);
}

Size Shape::elements_of_many() const {
  for (int i = 0; i < rank(); ++i) {
    if ((*this)[i] == 0) return 0;
  }
  refuse_size();
}

void Shape::insert(int axis, Size size) {
  push_back(size);
  for (int i = rank() - 1; i > axis; --i) set(i, (*this)[i - 1]);
  set(axis, size);
}

std::string Shape::to_string() const {
  std::string text = "(";
  for (int i = 0; i < rank(); ++i) text += (i == 0 ? "" : ", ") + std::to_string((*this)[i]);
  return text + (rank() == 1 ? ",)" : ")");
}

void Layout::refuse_stride(Size stride) const {
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
  std::array<int, kMaxRank> axes{};  // own ones; the stride of an axis of one element is irrelevant
  int count = 0;
  for (int i = 0; i < rank(); ++i) {
    if (shape[i] != 1) axes[static_cast<std::size_t>(count++)] = i;
  }
  const auto size_of = [&](int i) { return shape[axes[static_cast<std::size_t>(i)]]; };
  const auto stride_of = [&](int i) { return stride(axes[static_cast<std::size_t>(i)]); };
  // Every group of wanted axes must cover a group of own axes that lie evenly in memory.
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

int checked_axis(const char* op, int axis, int rank) {
  if (axis < -rank || axis >= rank) {
    fail<IndexError>("{}: axis {} is out of range for {} axes", op, axis, rank);
  }
  return axis < 0 ? axis + rank : axis;
}

std::vector<Size> indices_of(Size position, const Shape& shape) {
  std::vector<Size> indices(static_cast<std::size_t>(shape.rank()));
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    indices[static_cast<std::size_t>(axis)] = position % shape[axis];
    position /= shape[axis];
  }
  return indices;
}

std::string index_text(Size position, const Shape& shape) {
  return fmt::format("[{}]", fmt::join(indices_of(position, shape), ", "));
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  if (a == b) return a;
  const int rank = std::max(a.rank(), b.rank());
  Shape result;
  for (int i = 0; i < rank; ++i) {
    const int ia = i - (rank - a.rank()), ib = i - (rank - b.rank());
    const Size na = ia < 0 ? 1 : a[ia], nb = ib < 0 ? 1 : b[ib];
    if (na != nb && na != 1 && nb != 1) {
      fail<ShapeError>(
          "{}: shapes {} and {} do not broadcast: axis sizes {} and {} differ and neither is 1", op,
          a, b, na, nb);
    }
    result.push_back(na == 1 ? nb : na);
  }
  return result;
}

}  // namespace hindsight
