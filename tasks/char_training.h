#pragma once
#include <hindsight/optim/optim.h>

#include <functional>

#include "char_model.h"

namespace hindsight::tasks {

struct CharTrainingOptions {
  Size chunk = 64;  ///< T, steps that the gradient goes back
  double learning_rate = 0.002;
  double clip = 5;            ///< largest global norm of the gradient; 0 does not clip
  bool check_finite = false;  ///< names the first operation that makes a NaN or an infinity; slow
};

/// OptionError where training such a model, with B streams, takes more memory than the machine has.
void check_memory(const CharModelOptions& model, const CharTrainingOptions& training, Size symbols,
                  Size batch);

/// How far a pass over a text is.
struct Pass {
  double nats = 0;     ///< mean cross-entropy a character so far
  double recent = 0;   ///< the same, of about the last 30 chunks
  Size steps = 0;      ///< time steps done
  Size all_steps = 0;  ///< of the whole pass
  double seconds = 0;  ///< since the pass began
  double characters_per_second = 0;

  bool complete() const { return steps == all_steps; }
};

/// Called after every chunk; false ends the pass there.
using ProgressCallback = std::function<bool(const Pass&)>;

double bits(double nats);

/// Learns by truncated backpropagation through time: the streams are read chunk after chunk, the
/// state carried from one to the next, the gradient cut between them.
class CharTrainer {
 public:
  /// The model is shared.
  CharTrainer(const CharModel& model, const CharTrainingOptions& options);

  /// One pass of training. NonFiniteError naming the step when the loss or a gradient is no number.
  Pass train(const Streams& streams, const ProgressCallback& on_progress);
  /// One pass without learning. NonFiniteError when the loss is no number: the last update may have
  /// spoilt the model, whose loss training sees only in the next step.
  Pass validate(const Streams& streams, const ProgressCallback& on_progress);

  optim::Optimizer& optimizer() { return optimizer_; }

 private:
  double learn(const Indices& symbols, const Indices& next, nn::States* states);

  CharModel model_;
  CharTrainingOptions options_;
  optim::Adam optimizer_;
};

}  // namespace hindsight::tasks
