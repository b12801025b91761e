#pragma once
#include <hindsight/optim/optim.h>

#include <functional>

#include "char_model.h"

namespace hindsight::tasks {

struct CharTrainingOptions {
  Size chunk = 64;  ///< T, time steps from one update to the next
  Size window = 0;  ///< time steps that gradients reach back, at least `chunk`; 0: `chunk`
  double learning_rate = 0.002;
  double clip = 5;            ///< largest global 2-norm of the gradient; 0 does not clip
  bool check_finite = false;  ///< names the first operation that produces NaN or infinity; slow
  /// Threads that the streams are divided over, as in nn::parallel_gradient(); 0: the default, but
  /// one where a chunk is too little work.
  int threads = 0;
};

/// OptionError if training such a model with `batch` streams takes more memory than there is.
void check_memory(const CharModelOptions& model, const CharTrainingOptions& training, Size symbols,
                  Size batch);

/// The progress of a pass over a text.
struct Pass {
  double nats = 0;     ///< mean cross-entropy of a character so far
  double recent = 0;   ///< the same, over about the last 30 chunks
  Size steps = 0;      ///< time steps done
  Size all_steps = 0;  ///< time steps of the whole pass
  double seconds = 0;  ///< since the pass began
  double characters_per_second = 0;

  bool complete() const { return steps == all_steps; }
};

/// Called after every chunk; returning false ends the pass.
using ProgressCallback = std::function<bool(const Pass&)>;

double bits(double nats);  ///< nats / log(2)

/// Trains by truncated backpropagation through time: the streams are read chunk by chunk, and the
/// state is carried from one to the next; gradients reach back over the window.
class CharTrainer {
 public:
  /// Shares the model's parameters. OptionError if the window is shorter than a chunk.
  CharTrainer(const CharModel& model, const CharTrainingOptions& options);

  /// One pass of training. NonFiniteError naming the step when the loss or a gradient is not
  /// finite.
  Pass train(const Streams& streams, const ProgressCallback& on_progress);
  /// One pass without training. NonFiniteError when the loss is not finite: training sees what its
  /// last update did to the model only in the next step.
  Pass validate(const Streams& streams, const ProgressCallback& on_progress);

  optim::Optimizer& optimizer() { return optimizer_; }
  /// How many threads train on `batch` streams.
  int threads(Size batch) const;

 private:
  /// For the streams of each thread.
  using Readers = std::vector<nn::TruncatedBptt>;
  double learn(const Indices& symbols, const Indices& next, Readers* readers);
  Size window() const { return options_.window ? options_.window : options_.chunk; }

  CharModel model_;
  CharTrainingOptions options_;
  optim::Adam optimizer_;
};

}  // namespace hindsight::tasks
