#pragma once
#include <functional>
#include <vector>

#include "execution.h"

namespace hindsight::random_programs {

/// One call of an operation: its step, its inputs, and the run it belongs to.
struct Call {
  const Step& step;
  const std::vector<Variable>& in;
  Execution& execution;

  const Variable& operator[](std::size_t i) const { return in[i]; }
  Size number(std::size_t i) const { return step.numbers[i]; }
  int axis(std::size_t i) const { return static_cast<int>(step.numbers[i]); }
  double real(std::size_t i) const { return step.reals[i]; }
};

class Chooser;

/// A kind of step. An operation is a row of a table.
struct Operation {
  /// As it is written: %0 is an input, #0 a number, $0 a real, ~ the seed, %* and #* all of them.
  const char* text;
  /// Picks inputs and numbers; false where nothing fits.
  std::function<bool(Chooser&, Step&)> choose;
  std::function<Variable(const Call&)> run;
  /// Distance to the next kink or the end of the domain.
  std::function<double(const Call&)> margin = {};
  bool changes_gradient = false;  ///< on purpose: it is not that of the value
};

/// All operations, in several tables.
const std::vector<Operation>& elementwise_operations();
const std::vector<Operation>& fused_operations();
const std::vector<Operation>& shape_operations();
const std::vector<Operation>& reducing_operations();
const std::vector<Operation>& product_operations();
const std::vector<Operation>& index_operations();
const std::vector<Operation>& loss_operations();
const std::vector<Operation>& gradient_operations();

/// Those that the generator builds others from.
const Operation& scaled_operation();    ///< %0 * $0
const Operation& tanh_sum_operation();  ///< tanh(%0 + %1)
const Operation& mean_operation();      ///< mean(%0), of everything

// Sequences: inputs are x (T, ...) and the first states; bound are a step of x and the states;
// outputs are all states of the first, then the last ones of each. Numbers are flags:
namespace sequence {
constexpr std::size_t kReversed = 0;  ///< time runs from the end
constexpr std::size_t kFirst = 1;     ///< steps of the first state that are put at once before
}  // namespace sequence

}  // namespace hindsight::random_programs
