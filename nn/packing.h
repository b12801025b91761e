#pragma once
#include <hindsight/nn/cell.h>

#include <vector>

namespace hindsight::nn::detail {

/// True if a part of a state has a row for each of `rows` sequences, and is not shared by them.
inline bool has_rows(const Variable& part, Size rows) {
  return part.rank() > 1 && part.size(0) == rows;
}

/// (n,) as (1, n).
Indices as_row(const Indices& x);

/// The order in which the rows of a batch of sequences are processed. If all sequences have all
/// steps, that of a (T, B, ...) value. Else the batch is ragged, and the rows are packed: those of
/// one time step after the other, only of sequences that have not ended, the longest sequence
/// first. So no work is spent on padding, and the sequences of a step are the first ones of the
/// step before. The reverse direction uses the same order for steps counted from each sequence's
/// own end.
class Packing {
 public:
  /// lengths: of each sequence, in [1, steps]; all are `steps` long if empty. Unpacked values are
  /// (T, B, ...), or (B, T, ...) if `batch_first`.
  Packing(Size steps, Size batch, const std::vector<Size>& lengths, bool batch_first);

  bool ragged() const { return !offsets_.empty(); }
  /// True if the rows of a step are not in the order of the batch.
  bool sorts() const { return sorts_; }
  Size batch() const { return batch_; }
  Size steps() const { return ragged() ? lengths_.front() : steps_; }  ///< of the longest sequence
  /// Number of rows of the steps before t, which is in [0, steps()].
  Size offset(Size t) const {
    return ragged() ? offsets_[static_cast<std::size_t>(t)] : t * batch_;
  }
  Size rows(Size t) const { return offset(t + 1) - offset(t); }  ///< in step t

  /// Unpacked -> (N, ...) rows if ragged, else (T, B, ...).
  Variable pack(const Variable& unpacked) const;
  Indices pack(const Indices& unpacked) const;  ///< likewise
  /// The reverse, with zeros after the end of each sequence.
  Variable unpack(const Variable& packed) const;
  /// Packed values of the other direction of time.
  Variable reversed(const Variable& packed) const;
  Indices reversed(const Indices& packed) const;
  /// The rows of a state (B, ...) in the order of the steps, and back in that of the batch.
  State sorted(const State& state) const { return taken(state, order_); }
  State unsorted(const State& state) const { return taken(state, places_); }

 private:
  State taken(const State& state, const Indices& rows) const;

  Size steps_, batch_;
  bool batch_first_, sorts_ = false;
  // If ragged:
  pool::Vector<Size> lengths_;  // falling
  pool::Vector<Size> offsets_;  // of each step, and of the end
  Indices order_;               // the sequence at each place of a step: (B,)
  Indices places_;              // the place of each sequence: (B,)
  Indices positions_;           // of every packed row among the unpacked ones: (N,)
  Indices reversal_;            // of every packed row in the other direction: (N,)
};

}  // namespace hindsight::nn::detail
