#include <hindsight/autograd/tensor/shape.h>

#include <algorithm>

namespace hindsight {

void Shape::throw_bad_axis(Size size) const {
  if (rank() == kMaxRank) fail<ShapeError>("shape: at most {} axes are supported", kMaxRank);
  fail<ShapeError>("shape: an axis of {} elements; 0 to {} are supported", size, INT32_MAX);
}

void Shape::throw_too_large() const {
  fail<ShapeError>(
      "shape {}: at most {} elements from the second axis on, and 2^50 in all, are supported",
      *this, INT32_MAX);
}

Size Shape::elements_of_many() const {
  for (int i = 0; i < rank(); ++i) {
    if ((*this)[i] == 0) return 0;
  }
  throw_too_large();
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
