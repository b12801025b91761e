#include <hindsight/autograd/tensor/indices.h>

namespace hindsight {

void Indices::throw_empty() { fail("Indices: they are empty"); }

void Indices::check_given(const char* op) const {
  if (!buffer_) fail("{}: the Indices are empty", op);
}

Indices Indices::row(Size t) const {
  if (!buffer_) throw_empty();
  if (shape_.rank() == 0 || t < 0 || t >= shape_[0])
    fail<IndexError>("Indices: row {} is out of range for shape {}", t, shape_);
  Indices result = *this;
  result.shape_.erase(0);
  result.offset_ += t * result.shape_.elements();
  return result;
}

Indices Indices::rows(Size start, Size count) const {
  if (!buffer_) throw_empty();
  if (shape_.rank() == 0 || start < 0 || count < 0 || start > shape_[0] - count) {
    Size end = 0;
    if (__builtin_add_overflow(start, count, &end)) end = start < 0 ? INT64_MIN : INT64_MAX;
    fail<IndexError>("Indices: rows {} to {} are out of range for shape {}", start, end, shape_);
  }
  Indices result = *this;
  result.shape_.set(0, count);
  if (count > 0) result.offset_ += start * (result.shape_.elements() / count);
  return result;
}

void Indices::check_range(const char* op, const char* what, Size end) const {
  check_given(op);
  const std::int64_t* values = data();
  const Size count = elements();
  for (Size i = 0; i < count; ++i) {
    if (values[i] < 0 || values[i] >= end)
      fail<IndexError>("{}: {} {} at position {} is outside of [0, {})", op, what, values[i], i,
                       end);
  }
}

void Indices::check_count(Size count) const {
  if (count != shape_.elements()) {
    fail<ShapeError>("Indices: {} values for shape {}, which holds {}", count, shape_,
                     shape_.elements());
  }
}

}  // namespace hindsight
