#pragma once
#include <hindsight/autograd/autograd.h>

#include <cstdint>
#include <vector>

/// Random programs: data that a generator draws by seed, an Execution runs, comparisons judge and a
/// shrinker makes shorter.
namespace hindsight::random_programs {

struct Operation;

/// What a program begins with. Its values come from a seed, so that another shape keeps them tame.
struct Leaf {
  enum class Kind { watched, parameter, constant };
  enum class Values { around_zero, away_from_zero, positive };
  int id = 0;
  Kind kind = Kind::watched;
  Values values = Values::around_zero;
  Shape shape;
  std::uint64_t seed = 0;
};

/// One call. Values are known by number (id), each is given once in a program; a body may read
/// every value that was there before it.
struct Step {
  enum class Kind {
    operation,   ///< a row of operations.h
    checkpoint,  ///< the body under checkpoint(); inputs are passed, others captured
    sequence,    ///< the body once a time step, with carried states (see operations.h)
    recurrent,   ///< a network of nn (see networks.h)
  };
  Kind kind = Kind::operation;
  const Operation* operation = nullptr;
  std::vector<int> inputs, outputs;
  std::vector<Size> numbers;  ///< axes, sizes, flags, as the operation's text shows them
  std::vector<double> reals;
  std::uint64_t seed = 0;  ///< of indices, masks and the like

  std::vector<Step> body;
  std::vector<int> bound;    ///< sequence: a time step of the first input, the states
  std::vector<int> results;  ///< of the body: the next states; a checkpoint's are its outputs

  // Filled in by prepare().
  std::vector<int> captured;  ///< what the body reads from outside, beside inputs and bound
  std::vector<int> dead;      ///< values nobody reads after this step
};

/// A value that the loss reads: sum(value * weights), with weights from the seed.
struct Output {
  int id = 0;
  std::uint64_t seed = 0;
};

struct Program {
  std::uint64_t seed = 0;
  DType dtype = DType::f32;  ///< of the comparisons that do not need float64
  bool keep = false;         ///< hold every Variable to the end; else drop it after its last use
  std::vector<Leaf> leaves;
  std::vector<Step> steps;
  std::vector<Output> outputs;
  int ids = 0;  ///< values are numbered from 0 to below this
};

/// Finds out what bodies read and when values die. To be called after every change.
enum class Unread : bool { keep, drop };
void prepare(Program& program, Unread unread = Unread::drop);
/// The same for a step on its own.
void prepare(Step& step);
/// Whether some step changes gradients on purpose.
bool changes_gradients(const Program& program);

/// Calls f(step) on every step, bodies included, in the order they are written.
template <class Steps, class F>
void for_each_step(Steps& steps, const F& f) {
  for (auto& step : steps) {
    f(step);
    for_each_step(step.body, f);
  }
}

}  // namespace hindsight::random_programs
