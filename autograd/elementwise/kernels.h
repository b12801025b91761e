#pragma once
#include <hindsight/autograd/tape/variable.h>

/// A program's loops, and the rows in memory that they run over. Lengths, offsets and steps are in
/// elements.
namespace hindsight::detail {

/// Rows for the forward loop: pointers to the first row, steps in elements from row to row.
struct ForwardRows {
  Size rows, length;
  const void* const* in;
  const Size* in_step;
  void* out;
  Size out_step;
  void* saved;  ///< values saved for backward, [row][which][element]; null unless recorded
  Size saved_row, saved_plane;
};

/// Rows for the backward loop, in the same units.
struct BackwardRows {
  Size rows, length;
  const void* const* in;  ///< null for operands that no derivative reads
  const Size* in_step;
  const void* gradient;
  Size gradient_step;
  const void* saved;
  Size saved_row, saved_plane;
  void* const* to;  ///< gradients of the operands; null if not needed
  const Size* to_step;
  bool* accumulate;  ///< per operand: add to the gradient instead of assigning it
};

constexpr int kMaxLeaves = 32;
/// For a tangent (tangent_loops.h): each leaf's value and tangent, and the saved values.
constexpr int kMaxOperands = 3 * kMaxLeaves;

struct FusedKernels {
  const char* name;  ///< name of the outermost function
  /// Name of the function that joins leaf k to those before it, for error messages.
  const char* const* meeting_function;
  int leaves;
  int saved;  ///< number of values saved for backward
  void (*forward[2])(const void* program, const ForwardRows&);
  void (*backward[2])(const void* program, const BackwardRows&);
  /// The chain rule on Variables, with one recorded operation for each step: for second
  /// derivatives. gradients[k] is that of leaf k, not yet summed over broadcast axes.
  void (*differentiate)(const void* program, const Variable* leaves, const Variable& gradient,
                        Variable* gradients);
  const bool* reads_leaf;  ///< whether backward reads the value of leaf k
  const bool* receives;    ///< whether leaf k can receive a gradient
  /// Leaves with the same number receive the same gradient; null if no two do.
  const int* gradient_group;
  /// The kernels of the program's tangent (tangent_loops.h); null if this is a tangent itself.
  const FusedKernels* tangent;
};

}  // namespace hindsight::detail
