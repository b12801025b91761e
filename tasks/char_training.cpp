#include "char_training.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>

namespace hindsight::tasks {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMemory = 1.0 / 30;  // weight of a chunk in the recent mean

// Floating-point operations of a chunk, about: with fewer, waking threads costs more than they
// gain.
constexpr double kWorthThreads = 2e7;

/// Reads the streams chunk by chunk; `loss_of` returns a chunk's loss.
template <class LossOf>
Pass read(const Streams& streams, Size chunk, const ProgressCallback& on_progress,
          LossOf&& loss_of) {
  const Clock::time_point start = Clock::now();
  Pass pass;
  pass.all_steps = streams.steps();
  double total = 0;
  while (!pass.complete()) {
    const Size steps = std::min(chunk, streams.steps() - pass.steps);
    const double loss =
        loss_of(streams.chunk(pass.steps, steps), streams.chunk(pass.steps + 1, steps));
    pass.recent = pass.steps == 0 ? loss : pass.recent + kMemory * (loss - pass.recent);
    total += loss * static_cast<double>(steps);
    pass.steps += steps;
    pass.nats = total / static_cast<double>(pass.steps);
    pass.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    pass.characters_per_second = static_cast<double>(pass.steps * streams.batch()) / pass.seconds;
    if (!on_progress(pass)) break;
  }
  return pass;
}

}  // namespace

void check_memory(const CharModelOptions& model, const CharTrainingOptions& training, Size symbols,
                  Size batch) {
  // Values, gradients and Adam's two moments; for each chunk, what is saved for backward.
  constexpr double kPerParameter = 4, kPerUnit = 10, kPerLogit = 3;
  const double floats =
      kPerParameter * static_cast<double>(CharModel::parameters_of(model, symbols)) +
      static_cast<double>(std::max(training.chunk, training.window) * batch) *
          (kPerUnit * static_cast<double>(model.hidden * model.layers) +
           kPerLogit * static_cast<double>(symbols));
  const double needed = floats * static_cast<double>(bytes_of(DType::f32)) / 1e9;
  const double has = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                     static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e9;
  if (needed <= has) return;
  fail<OptionError>(
      "training {} layers of {} units on {} streams of {} steps "
      "takes about {:.3g} GB of memory, and this machine has {:.3g} GB",
      model.layers, model.hidden, batch, std::max(training.chunk, training.window), needed, has);
}

double bits(double nats) { return nats / std::log(2.0); }

CharTrainer::CharTrainer(const CharModel& model, const CharTrainingOptions& options)
    : model_(model),
      options_(options),
      optimizer_(model.parameters(),
                 {.learning_rate = options.learning_rate, .clip_norm = options.clip}) {
  if (window() < options.chunk) {
    fail<OptionError>("a window of {} steps is shorter than a chunk of {}", window(),
                      options.chunk);
  }
}

int CharTrainer::threads(Size batch) const {
  // Each parameter takes part in a product forward and in two backward.
  const double work = 6 * static_cast<double>(model_.parameter_count()) *
                      static_cast<double>(options_.chunk * batch);
  if (options_.threads == 0 && work < kWorthThreads) return 1;
  return nn::parts_of(batch, {.threads = options_.threads});
}

double CharTrainer::learn(const Indices& symbols, const Indices& next, Readers* readers) {
  std::optional<FiniteChecks> checks;
  if (options_.check_finite) checks.emplace();
  const auto loss_of = [&](const nn::Rows& rows) {
    nn::TruncatedBptt& read = (*readers)[static_cast<std::size_t>(rows.part)];
    const Variable logits = model_.logits(read(rows.of(symbols, 1)));
    const Variable loss = rows.share() * cross_entropy(logits, rows.of(next, 1));
    const double nats = loss.item();
    if (!std::isfinite(nats))
      fail<NonFiniteError>("the loss is {}", std::abs(nats));  // the sign of NaN is arbitrary
    return loss;
  };
  try {
    const double nats = nn::parallel_gradient(symbols.shape()[1], loss_of,
                                              {.threads = static_cast<int>(readers->size())});
    optimizer_.step();
    return nats;
  } catch (const NonFiniteError& error) {
    fail<NonFiniteError>(
        "training failed in step {}: {}; a smaller learning rate or clip norm may help{}",
        optimizer_.steps() + 1, error.what(),
        options_.check_finite ? "" : ", --check-finite names the operation");
  }
}

Pass CharTrainer::train(const Streams& streams, const ProgressCallback& on_progress) {
  Readers readers(static_cast<std::size_t>(threads(streams.batch())),
                  model_.stream({.window = window(), .stride = options_.chunk}));
  return read(
      streams, options_.chunk, on_progress,
      [&](const Indices& symbols, const Indices& next) { return learn(symbols, next, &readers); });
}

Pass CharTrainer::validate(const Streams& streams, const ProgressCallback& on_progress) {
  const nn::Evaluation mode;
  const Tape::Pause pause;
  nn::States states;
  const Pass pass =
      read(streams, options_.chunk, on_progress, [&](const Indices& symbols, const Indices& next) {
        CharModel::Prediction prediction = model_(symbols, states);
        states = std::move(prediction.final);
        return cross_entropy(prediction.logits, next).item();
      });
  if (!std::isfinite(pass.nats)) {
    fail<NonFiniteError>("the validation loss is {} after step {}", std::abs(pass.nats),
                         optimizer_.steps());
  }
  return pass;
}

}  // namespace hindsight::tasks
