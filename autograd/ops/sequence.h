#pragma once
#include <hindsight/autograd/tape/variable.h>

namespace hindsight {

/// Gathers one value a time step into one sequence (T, ...), step by step. The steps lie one after
/// the other in memory, which is what makes one product over all of them possible.
class Sequence {
 public:
  explicit Sequence(Size steps);  ///< ShapeError unless in [0, 2^31)

  /// Copies `value` to step t and returns it there: a view to go on with, whose gradient lies in
  /// the sequence's. Every step is put once. ShapeError when the shape differs from the first
  /// one's, IndexError for a step outside of the sequence or put before.
  Variable put(Size t, const Variable& value);
  /// The same for steps `first`, `first` + 1, ... at once; values: (steps, ...).
  Variable put_steps(Size first, const Variable& values);
  /// The sequence, once every step is put.
  const Variable& values() const { return whole_; }

 private:
  Variable place(Size first, Size count, const Shape& shape, const Variable& values);

  Size steps_;
  Variable whole_;
  pool::Vector<bool> put_;  // which steps are
  bool constants_ = false;  // some of these are
};

/// Zeros of a sequence's shape, for put_part.
Variable empty_sequence(const Shape& shape, DType dtype);
/// Copies `value` to `place`, a part of an empty sequence that nothing was put to before.
void put_part(const Variable& place, const Variable& value);

}  // namespace hindsight
