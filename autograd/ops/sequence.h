#pragma once
#include <hindsight/autograd/tape/variable.h>

namespace hindsight {

/// Collects one value for each time step in a sequence (T, ...). The steps are contiguous in
/// memory, so that one product can cover all of them.
class Sequence {
 public:
  explicit Sequence(Size steps);  ///< ShapeError unless in [0, 2^31)

  /// Copies `value` to step t and returns that step: a view to continue with, whose gradient is
  /// part of the sequence's. Each step may be put once. ShapeError when its shape, DTypeError when
  /// its dtype differs from the first one's, IndexError for a step out of range or put before.
  Variable put(Size t, const Variable& value);
  /// The same for steps `first`, `first` + 1, ... at once; values: (steps, ...).
  Variable put_steps(Size first, const Variable& values);
  /// The sequence, complete once every step has been put.
  const Variable& values() const { return whole_; }

 private:
  Variable place(Size first, Size count, const Shape& shape, const Variable& values);

  Size steps_;
  Variable whole_;
  pool::Vector<bool> put_;  // which steps have been put
  bool constants_ = false;  // whether some of them are constants
};

namespace detail {

/// Zeros whose parts put_part may write.
Variable empty_sequence(const Shape& shape, DType dtype);
/// Copies `value` to `place`, a part of an empty_sequence that has not been put before.
void put_part(const Variable& place, const Variable& value);

}  // namespace detail

}  // namespace hindsight
