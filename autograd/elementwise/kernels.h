#pragma once
#include <hindsight/autograd/tape/variable.h>

/// A program's loops, and the rows in memory that they run over. Offsets and steps are in elements.
namespace hindsight::detail {

/// Rows for the forward loop; pointers are to the first row, steps lead to the next.
struct ForwardRows {
  Size rows, length;
  const void* const* in;
  const Size* in_step;
  void* out;
  Size out_step;
  void* saved;  ///< expensive values, [row][which][element]; null when nothing is recorded
  Size saved_row, saved_plane;
};

struct BackwardRows {
  Size rows, length;
  const void* const* in;  ///< only those the derivatives read
  const Size* in_step;
  const void* gradient;
  Size gradient_step;
  const void* saved;
  Size saved_row, saved_plane;
  void* const* to;  ///< gradients of the operands, null where not wanted
  const Size* to_step;
  bool* accumulate;
};

constexpr int kMaxLeaves = 32;
/// Of a tangent (tangent_loops.h): each leaf's value and tangent, and the values that were saved.
constexpr int kMaxOperands = 3 * kMaxLeaves;

struct FusedKernels {
  const char* name;  ///< of the name_of_root function
  const char* const*
      meeting_function;  ///< of the function where leaf k meets the leaves before it, for messages
  int leaves;
  int saved;
  void (*forward[2])(const void* program, const ForwardRows&);
  void (*backward[2])(const void* program, const BackwardRows&);
  /// The chain rule on Variables, one recorded operation each: for derivatives of derivatives.
  /// gradients[k] is that of leaf k, not yet summed over what had been broadcast.
  void (*differentiate)(const void* program, const Variable* leaves, const Variable& gradient,
                        Variable* gradients);
  const bool* reads_leaf;     ///< whether the way back reads the value of leaf k
  const bool* receives;       ///< whether leaf k can get a gradient
  const int* gradient_group;  ///< leaves of the same number get the same gradient
  /// The program's derivative along its leaves' tangents (tangent_loops.h); null for one of these
  /// itself.
  const FusedKernels* tangent;
};

}  // namespace hindsight::detail
