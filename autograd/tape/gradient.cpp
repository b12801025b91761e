#include <hindsight/autograd/tape/gradient.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace hindsight {
namespace {

Size columns_of(const Shape& whole) { return whole.rank() == 0 ? 1 : whole.back(); }

}  // namespace

bool Gradient::Rectangle::absorb(const Rectangle& r) {
  if (r.column == column && r.column_end == column_end) {
    if (r.row_end == row) return row = r.row, true;
    if (r.row == row_end) return row_end = r.row_end, true;
  } else if (r.row == row && r.row_end == row_end) {
    if (r.column_end == column) return column = r.column, true;
    if (r.column == column_end) return column_end = r.column_end, true;
  }
  return false;
}

bool Gradient::rectangle_of(const Layout& region, Size columns, Rectangle* result) {
  const Size row = region.offset / columns, column = region.offset % columns;
  int axis = region.rank() - 1;
  Size width = 1;  // elements side by side
  for (; axis >= 0; --axis) {
    if (region.shape[axis] == 1) continue;
    if (region.stride(axis) != width) break;
    width *= region.shape[axis];
  }
  if (axis < 0) {  // one contiguous run
    if (column + width <= columns) {
      *result = {row, row + 1, column, column + width};
      return true;
    }
    if (column != 0 || width % columns != 0) return false;
    *result = {row, row + width / columns, 0, columns};
    return true;
  }
  if (column + width > columns) return false;
  Size rows = 1;
  for (; axis >= 0; --axis) {
    if (region.shape[axis] == 1) continue;
    if (region.stride(axis) != rows * columns) return false;
    rows *= region.shape[axis];
  }
  *result = {row, row + rows, column, column + width};
  return true;
}

void Gradient::insert(Rectangle r, Size rows, Size columns) {
  if (!written_)
    written_ = static_cast<Rectangle*>(pool::allocate(kRectangles * sizeof(Rectangle), 0));
  for (int i = 0; i < count_;) {
    if (r.absorb(written_[i])) {
      written_[i] = written_[--count_];
      i = 0;  // the larger rectangle may touch another one
    } else {
      ++i;
    }
  }
  full_ = r.row == 0 && r.row_end == rows && r.column == 0 && r.column_end == columns;
  written_[count_++] = r;
}

Gradient::Target Gradient::target(const Layout& region, const Shape& whole, DType dtype) {
  if (borrowed_) move_out(whole, dtype);
  Target target = claim(region, whole, dtype);
  if (lent_ && target.accumulate) {
    move_out(whole, dtype);
    target.base = base();
  }
  return target;
}

void Gradient::move_out(const Shape& whole, DType dtype) {
  Gradient before = std::exchange(*this, Gradient());
  moved_ = true;
  if (before.empty()) return;
  reserve(whole, dtype);
  std::memcpy(base(), before.base(), static_cast<std::size_t>(whole.elements() * bytes_of(dtype)));
  full_ = before.full_;
  count_ = std::exchange(before.count_, 0);
  std::swap(written_, before.written_);
}

bool Gradient::may_borrow(const Gradient& lender, Size shift, const Layout& region,
                          const Shape& whole, int regions) const {
  if (lender.moved_ || moved_) return false;
  if (buffer_ && !(borrowed_ && buffer_ == lender.buffer_ && offset_ == lender.offset_ + shift))
    return false;
  Rectangle r;
  if (full_ || count_ + regions > kRectangles || !rectangle_of(region, columns_of(whole), &r))
    return false;
  return std::all_of(written_, written_ + count_,
                     [&](const Rectangle& other) { return other.disjoint(r); });
}

void Gradient::borrow(Gradient& lender, Size shift, const Layout& region, const Shape& whole) {
  if (!buffer_) place(lender.buffer_, lender.offset_ + shift);
  lender.lent_ = borrowed_ = true;
  Rectangle r;
  const Size columns = columns_of(whole);
  rectangle_of(region, columns, &r);
  insert(r, whole.elements() / columns, columns);
}

Gradient::Target Gradient::claim(const Layout& region, const Shape& whole, DType dtype) {
  reserve(whole, dtype);
  if (full_) return {base(), true};
  const Size elements = whole.elements();
  if (elements == 0 || region.shape.elements() == 0)
    return {base(), true};  // nothing will be written
  if (count_ == 0 && (region.shape == whole || region.shape.elements() == elements)) {
    full_ = true;
    return {base(), false};
  }
  const Size columns = columns_of(whole);
  Rectangle r;
  if (rectangle_of(region, columns, &r)) {
    bool apart = true;
    for (int i = 0; i < count_; ++i) {
      if (written_[i].contains(r)) return {base(), true};
      apart = apart && written_[i].disjoint(r);
    }
    if (apart && count_ < kRectangles) {
      insert(r, elements / columns, columns);
      return {base(), false};
    }
  }
  complete(whole, dtype);
  return {base(), true};
}

void Gradient::complete(const Shape& whole, DType dtype) {
  if (full_) return;
  if (borrowed_) move_out(whole, dtype);
  const Size elements = whole.elements();
  reserve(whole, dtype);
  full_ = true;
  const Size bytes = bytes_of(dtype);
  if (count_ == 0 || elements == 0) {
    std::memset(base(), 0, static_cast<std::size_t>(elements * bytes));
    return;
  }
  const Size columns = columns_of(whole), rows = elements / columns;
  for (Size row = 0; row < rows; ++row) {
    const auto zero = [&](Size from, Size to) {
      if (from < to) {
        std::memset(base() + (row * columns + from) * bytes, 0,
                    static_cast<std::size_t>((to - from) * bytes));
      }
    };
    Size done = 0;  // columns up to here are written or zero
    while (done < columns) {
      Size next = columns, next_end = columns;  // the first written columns from here on
      for (int i = 0; i < count_; ++i) {
        const Rectangle& r = written_[i];
        if (row >= r.row && row < r.row_end && r.column >= done && r.column < next) {
          next = r.column;
          next_end = r.column_end;
        }
      }
      zero(done, next);
      done = next_end;
    }
  }
}

bool Gradient::written(const Layout& region, const Shape& whole) const {
  if (full_) return true;
  Rectangle r;
  if (whole.elements() == 0 || !rectangle_of(region, columns_of(whole), &r)) return false;
  for (int i = 0; i < count_; ++i) {
    if (written_[i].contains(r)) return true;
  }
  return false;
}

Tensor Gradient::read(const Layout& region, const Shape& whole, DType dtype) {
  if (!written(region, whole)) complete(whole, dtype);
  return memory(region, dtype);
}

void Gradient::adopt(const Tensor& dense) {
  place(dense.buffer(), dense.layout().offset * bytes_of(dense.dtype()));
  full_ = true;
}

}  // namespace hindsight
