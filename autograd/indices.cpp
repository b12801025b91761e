#include <hindsight/autograd/indices.h>

namespace hindsight {

Indices Indices::row(Size t) const {
  if (shape_.rank() == 0 || t < 0 || t >= shape_[0]) fail<IndexError>("Indices: row {} is out of range for shape {}", t, shape_);
  Indices result = *this;
  result.shape_.erase(0);
  result.offset_ += t * result.shape_.elements();
  return result;
}

void Indices::check_count(Size count) const {
  if (count != shape_.elements()) {
    fail<ShapeError>("Indices: {} values for shape {}, which holds {}", count, shape_, shape_.elements());
  }
}

}  // namespace hindsight
