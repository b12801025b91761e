#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>

#include <functional>

namespace hindsight::nn {

/// The rows of a batch that one part of parallel_gradient() computes.
struct Rows {
  Size first, count;  ///< rows [first, first + count)
  Size batch;         ///< rows of the whole batch
  int part;           ///< 0, 1, ...: an index for what the caller stores for each part

  /// What a mean over these rows contributes to the mean over the batch: count / batch.
  double share() const { return static_cast<double>(count) / static_cast<double>(batch); }
  /// These rows of x, whose rows are along `axis`: x itself if they are all, else a copy.
  /// ShapeError unless x has as many rows as the batch along this axis.
  Tensor of(const Tensor& x, int axis) const;
  Indices of(const Indices& x, int axis) const;
};

struct ParallelOptions {
  /// Parts to divide the batch into, each on a thread of its own, but never more than rows. 0:
  /// default_threads(), but no more than give each part kRowsPerPart rows.
  int threads = 0;
};

/// Fewer rows than this take nearly the time of as many, because products read whole matrices of
/// weights for them.
constexpr Size kRowsPerPart = 4;

/// The number of parts that parallel_gradient() divides a batch into; it depends on nothing else
/// than the arguments and default_threads(). OptionError for a batch of less than one row or a
/// negative number of threads.
int parts_of(Size batch, const ParallelOptions& options = {});

namespace detail {
double parallel_gradient(Size batch, const std::function<Variable(const Rows&)>& f,
                         const ParallelOptions& options);
}

/// Adds the gradient of a loss over a batch to the parameters, like Tape::backward(), computed on
/// several threads: the rows are divided into parts as equal as possible, f(rows) returns the loss
/// of one part, a scalar, recorded on a tape of that part's thread. Returns the sum of the parts'
/// losses, which is the loss whose gradient is computed; where f computes means, it multiplies them
/// by rows.share().
///
///   const double loss = nn::parallel_gradient(B, [&](const nn::Rows& rows) {
///     const Variable y = model(Variable(rows.of(x, 1)));  // x: Tensor (T, B, I)
///     return rows.share() * cross_entropy(y, rows.of(targets, 1));
///   });
///
/// The parts' gradients are added in the order of rows, so that results have the same bits in every
/// run with the same number of parts; other numbers of parts round differently. f runs on several
/// threads at once. It may read parameters, Tensors and Indices from outside, but not Variables or
/// generators of random numbers, and may write only to what belongs to rows.part. Dropout in
/// modules draws the same masks whatever the number of parts. Part k always runs on the same
/// thread, where Evaluation is as on the caller's. While a Profile or FiniteChecks is active, the
/// parts run on the caller's thread, one after the other, with the same results.
///
/// If parts throw, the others end, the gradients of all parameters that any part used are cleared,
/// generators of modules stay as they were, and the exception of the first rows is rethrown.
/// OptionError as for parts_of(); TapeError within f, within a checkpoint, or as for backward().
template <class F>
double parallel_gradient(Size batch, F&& f, const ParallelOptions& options = {}) {
  return detail::parallel_gradient(batch, std::ref(f), options);
}

}  // namespace hindsight::nn
