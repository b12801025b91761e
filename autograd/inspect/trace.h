#pragma once
#include <hindsight/autograd/tape/tape.h>

#include <string>
#include <vector>

namespace hindsight {

/// An operation on a tape, or, if folded, all operations of one name in one part of the model.
struct TraceRow {
  std::string op;
  std::string place;          ///< "encoder, layer 0, time step 3"; folded: "each time step"
  std::vector<Shape> inputs;  ///< when folded, of the first operation
  Shape output;
  Size count = 0;      ///< operations in this row
  Size bytes = 0;      ///< held by the tape for it, see trace()
  double seconds = 0;  ///< of its forward, where a Profile was active
};

/// The operations of a tape in the order they ran.
struct Trace {
  std::vector<TraceRow> rows;

  TraceRow total() const;
  /// A table of the rows and their total, with a column of milliseconds if something was timed.
  std::string to_string() const;
};

struct TraceOptions {
  bool fold_time = false;  ///< one row for all time steps of an operation
};

/// What is on a tape. The bytes are those of values that are still held and of what operations save
/// besides; those of a watched input or a constant count for its first reader. Parameters, captures
/// of functions given to apply() and the operations themselves are not counted.
Trace trace(const Tape& tape, const TraceOptions& options = {});

}  // namespace hindsight
