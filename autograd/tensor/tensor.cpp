#include <hindsight/autograd/tensor/tensor.h>

#include <cmath>
#include <cstring>

namespace hindsight {
namespace {

/// Calls f(row of `to`, row of `from`, length) for every row along the last axis.
template <class To, class From, class F>
void for_each_row(const Tensor& to, const Tensor& from, F&& f) {
  const Shape& shape = to.shape();
  if (shape.elements() == 0) return;
  const Layout source = from.layout().broadcast_to(shape);
  const int outer = std::max(0, shape.rank() - 1);
  const Size length = shape.rank() == 0 ? 1 : shape.back();
  std::array<Size, kMaxRank> index{};
  To* t = to.data<To>();
  const From* s = from.data<From>();
  while (true) {
    f(t, s, length);
    int axis = outer - 1;
    for (; axis >= 0; --axis) {
      const auto i = static_cast<std::size_t>(axis);
      t += to.layout().stride(axis);
      s += source.stride(axis);
      if (++index[i] < shape[axis]) break;
      t -= to.layout().stride(axis) * index[i];
      s -= source.stride(axis) * index[i];
      index[i] = 0;
    }
    if (axis < 0) return;
  }
}

template <class To, class From>
void copy_typed(const Tensor& from, const Tensor& to, bool accumulate) {
  const int last = to.rank() - 1;
  const Size to_step = last < 0 ? 1 : to.layout().stride(last);
  const Size from_step = last < 0 ? 1 : from.layout().broadcast_to(to.shape()).stride(last);
  const bool unit = to_step == 1 && from_step == 1;
  for_each_row<To, From>(to, from, [&](To* t, const From* s, Size length) {
    if (unit && accumulate) {
      for (Size i = 0; i < length; ++i) t[i] += static_cast<To>(s[i]);
    } else if (unit) {
      for (Size i = 0; i < length; ++i) t[i] = static_cast<To>(s[i]);
    } else {
      for (Size i = 0; i < length; ++i) {
        To& target = t[i * to_step];
        target = static_cast<To>(s[i * from_step]) + (accumulate ? target : To(0));
      }
    }
  });
}

/// Whether writing `to` may change elements of `from` before they are read: their memory overlaps,
/// and they are not the same view.
bool overlap(const Tensor& from, const Tensor& to) {
  if (!(from.buffer() == to.buffer()) || to.elements() == 0) return false;
  if (from.layout() == to.layout() && from.dtype() == to.dtype()) return false;
  const auto [from_first, from_last] = from.layout().range();
  const auto [to_first, to_last] = to.layout().range();
  const Size from_bytes = bytes_of(from.dtype()), to_bytes = bytes_of(to.dtype());
  return from_first * from_bytes < (to_last + 1) * to_bytes &&
         to_first * to_bytes < (from_last + 1) * from_bytes;
}

/// A contiguous tensor as one long row.
Tensor flattened(const Tensor& t) {
  Layout flat(Shape{t.elements()});
  flat.offset = t.layout().offset;
  return t.view(flat);
}

}  // namespace

void copy(const Tensor& from, const Tensor& to, bool accumulate) {
  if (!from || !to) fail("copy: the {} is an empty Tensor", from ? "target" : "source");
  if (!accumulate && from.dtype() == to.dtype() && from.shape() == to.shape() &&
      from.contiguous() && to.contiguous()) {
    std::memmove(to.bytes(), from.bytes(),
                 static_cast<std::size_t>(to.elements() * bytes_of(to.dtype())));
    return;
  }
  if (from.shape() != to.shape() && !broadcasts_to(from.shape(), to.shape()))
    fail<ShapeError>("copy: shape {} does not broadcast to {}", from.shape(), to.shape());
  if (overlap(from, to)) return copy(from.contiguous_copy(), to, accumulate);
  const bool flat = from.shape() == to.shape() && from.contiguous() && to.contiguous() &&
                    to.rank() > 1 && to.elements() <= INT32_MAX;
  if (flat) return copy(flattened(from), flattened(to), accumulate);
  dispatch(to.dtype(), [&](auto t) {
    dispatch(from.dtype(),
             [&](auto f) { copy_typed<decltype(t), decltype(f)>(from, to, accumulate); });
  });
}

Tensor Tensor::full(const Shape& shape, double value, DType dtype) {
  Tensor result(shape, dtype);
  result.fill(value);
  return result;
}

Tensor Tensor::from(const std::vector<double>& values, const Shape& shape, DType dtype) {
  if (static_cast<Size>(values.size()) != shape.elements()) {
    fail<ShapeError>("Tensor::from: {} values for shape {}, which holds {}", values.size(), shape,
                     shape.elements());
  }
  Tensor result(shape, dtype);
  for (std::size_t i = 0; i < values.size(); ++i) result.set(static_cast<Size>(i), values[i]);
  return result;
}

namespace {

Size element_offset(const Layout& layout, Size position) {
  Size offset = 0;
  for (int axis = layout.rank() - 1; axis >= 0; --axis) {
    offset += position % layout.shape[axis] * layout.stride(axis);
    position /= layout.shape[axis];
  }
  return offset;
}

}  // namespace

double Tensor::at(Size position) const {
  check_given("at");
  if (position < 0 || position >= elements()) {
    fail<IndexError>("Tensor::at: position {} in a tensor of {} elements", position, elements());
  }
  const Size offset = element_offset(layout_, position);
  return dispatch(dtype_, [&](auto zero) -> double { return data<decltype(zero)>()[offset]; });
}

void Tensor::set(Size position, double value) const {
  check_given("set");
  if (position < 0 || position >= elements()) {
    fail<IndexError>("Tensor::set: position {} in a tensor of {} elements", position, elements());
  }
  const Size offset = element_offset(layout_, position);
  dispatch(dtype_,
           [&](auto zero) { data<decltype(zero)>()[offset] = static_cast<decltype(zero)>(value); });
}

double Tensor::item() const {
  check_given("item");
  if (elements() != 1)
    fail<ShapeError>("item: a tensor of shape {}; one element is needed", shape());
  return at(0);
}

std::vector<double> Tensor::to_vector() const {
  check_given("to_vector");
  std::vector<double> values(static_cast<std::size_t>(elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = at(static_cast<Size>(i));
  return values;
}

Tensor Tensor::contiguous_copy() const {
  check_given("contiguous_copy");
  Tensor result(shape(), dtype_);
  copy(*this, result);
  return result;
}

Tensor Tensor::to(DType dtype) const {
  check_given("to");
  if (dtype == dtype_) return *this;
  Tensor result(shape(), dtype);
  copy(*this, result);
  return result;
}

void Tensor::fill(double value) const {
  check_given("fill");
  Tensor one(Shape{}, dtype_);
  one.set(0, value);
  copy(one, *this);
}

void Tensor::throw_empty(const char* use) { fail("Tensor::{}: the Tensor is empty", use); }

void Tensor::check_type(DType wanted) const {
  if (wanted != dtype_) {
    fail<DTypeError>("Tensor::array: {} asked of a {} tensor", name(wanted), name(dtype_));
  }
}

void sum_into(const Tensor& x, const Tensor& to) {
  if (to.elements() == 1) {
    const Tensor dense = x.dense();
    dispatch(x.dtype(), [&](auto zero) {
      using T = decltype(zero);
      const T* values = dense.data<T>();
      double lanes[8] = {};  // eight running sums, so that the compiler vectorizes
      const Size n = dense.elements();
      Size i = 0;
      for (; i + 8 <= n; i += 8) {
        for (int l = 0; l < 8; ++l) lanes[l] += static_cast<double>(values[i + l]);
      }
      for (; i < n; ++i) lanes[0] += static_cast<double>(values[i]);
      to.set(0, ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
                    ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7])));
    });
    return;
  }
  const Tensor wide = Tensor::zeros(to.shape(), DType::f64);
  const Layout repeated = wide.layout().broadcast_to(x.shape());
  copy(x, wide.view(repeated), true);
  copy(wide, to);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (!broadcasts_to(shape, x.shape()))
    fail<ShapeError>("sum_to: shape {} does not broadcast to {}", shape, x.shape());
  const Tensor result(shape, x.dtype());
  Shape kept = shape;  // with leading axes of one element, to the rank of x
  while (kept.rank() < x.rank()) kept.insert(0, 1);
  sum_into(x, result.view(Layout(kept)));
  return result;
}

bool all_finite(const Tensor& tensor) {
  const Tensor dense = tensor.dense();
  return dispatch(dense.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const T* values = dense.data<T>();
    T sum = 0;  // x - x is 0 for finite x and NaN otherwise
    const Size count = dense.elements();
    for (Size i = 0; i < count; ++i) sum += values[i] - values[i];
    return sum == T(0);
  });
}

}  // namespace hindsight
