#pragma once
#include <hindsight/autograd/tape/tape.h>

#include <string>
#include <vector>

namespace hindsight {

/// An operation on a tape, or in a folded trace all of one kind in one part of the model.
struct TraceRow {
  std::string op;
  std::string place;          ///< "encoder, layer 0, time step 3"; folded: "each time step"
  std::vector<Shape> inputs;  ///< of the first one where several are folded
  Shape output;
  Size count = 0;      ///< operations in this row
  Size bytes = 0;      ///< that the tape holds for it, see trace()
  double seconds = 0;  ///< of its forward, where a Profile was alive
};

/// The operations of a tape in the order they ran.
struct Trace {
  std::vector<TraceRow> rows;

  TraceRow total() const;
  /// A table of the rows and their total; a column of milliseconds where something was timed.
  std::string to_string() const;
};

struct TraceOptions {
  bool fold_time = false;  ///< one row for all time steps of an operation
};

/// What is on a tape. Bytes are those of values that are still there and of what operations keep
/// beside them; those that a watched input or a constant has are counted where it is read first.
/// Not counted are parameters, what a function given to apply() captured, and the operations
/// themselves.
Trace trace(const Tape& tape, const TraceOptions& options = {});

}  // namespace hindsight
