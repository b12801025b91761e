#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/random.h>

#include <forward_list>

namespace hindsight::nn {

/// Dropout whose mask does not depend on how a batch is divided: x's rows are along `row_axis`, and
/// the mask of a row depends only on the next number of `rng`, on the row's place in the whole
/// batch, and on the element's place in the row. In parallel_gradient(), every part thus draws what
/// one thread would. A scalar is one row. Errors as for dropout(), IndexError if there is no such
/// axis.
Variable dropout_by_row(const Variable& x, int row_axis, double rate, Rng& rng);

/// The mask that dropout_by_row() multiplies by, of 0 and 1 / (1 - rate).
Tensor dropout_mask_by_row(const Shape& shape, DType dtype, int row_axis, double rate, Rng& rng);
/// A random number of 52 bits for each of `rows` rows: (rows, 1) in float64. It depends only on the
/// next number of `rng` and on the row's place in the whole batch.
Tensor numbers_by_row(Size rows, Rng& rng);

/// While active, this thread computes the rows from `first` on of a batch, others the other rows:
/// dropout_by_row() draws from a copy of its generator, since the generator is shared.
class RowsFrom {
 public:
  explicit RowsFrom(Size first);
  ~RowsFrom();
  RowsFrom(const RowsFrom&) = delete;
  RowsFrom& operator=(const RowsFrom&) = delete;
  /// That of the calling thread, or null.
  static RowsFrom* current();

  Size first() const { return first_; }
  /// The next number of the copy.
  std::uint64_t draw(Rng& rng);
  /// Sets the generators to the state of their copies; not while other threads draw.
  void advance_generators();

 private:
  struct Copied {
    explicit Copied(Rng& rng) : original(&rng), copy(rng) {}
    Rng* original;
    Rng copy;
  };

  Size first_;
  RowsFrom* outer_;
  std::forward_list<Copied, pool::Allocator<Copied>> copies_;
};

}  // namespace hindsight::nn
