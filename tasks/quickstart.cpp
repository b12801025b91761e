#include <hindsight/autograd/gradcheck/gradcheck.h>

#include <chrono>
#include <cmath>
#include <memory>

#include "char_sampling.h"
#include "charlm_report.h"
#include "command.h"
#include "files.h"
#include "info.h"
#include "interrupt.h"
#include "progress.h"
#include "source_text.h"

namespace hindsight::tasks {
namespace {

constexpr const char* kExamples = R"(Examples:
  hindsight quickstart
  hindsight quickstart --text novel.txt --seconds 300 --out novel.safetensors)";

constexpr Size kBatch = 32;
constexpr CharModelOptions kModel{.hidden = 256, .layers = 1, .dropout = 0};
constexpr CharTrainingOptions kTraining{.chunk = 64, .learning_rate = 0.005, .clip = 5};
constexpr Size kMostValid = 1'000'000;  // bytes, validated in some seconds
constexpr double kLastRate = 0.02;      // final share of the learning rate
constexpr double kPi = 3.14159265358979323846;

struct QuickstartOptions {
  std::string text, out = "hindsight-charlm.safetensors";
  double seconds = 60;
  std::uint64_t seed = 1;
  int threads = 0;
};

/// The main job in about a minute: train on a text, check the gradients, save, sample.
class Quickstart {
 public:
  explicit Quickstart(const QuickstartOptions& options)
      : options_(options),
        text_(read_text(options, &name_)),
        corpus_(text_, name_, kTraining.chunk, kBatch, kMostValid),
        rng_(options.seed),
        model_(corpus_.vocabulary, kModel, rng_),
        trainer_(model_, training(options)) {}

  int run() {
    fmt::print("Hindsight {}: {}\n", version(), backend(trainer_.threads(kBatch)));
    const auto bytes = static_cast<Size>(text_.size());
    fmt::print("Text: {}, {} bytes, the last tenth kept for validation{}\n", name_, grouped(bytes),
               bytes / 10 > kMostValid
                   ? fmt::format(", its first {} bytes read", grouped(kMostValid))
                   : "");
    fmt::print("Model: {}\n", describe(model_));
    fmt::print("Training for {} (Ctrl-C ends it and saves the model)\n",
               duration(options_.seconds));
    std::fflush(stdout);
    const bool finished = train();
    model_.save(options_.out);
    if (!finished) {
      fmt::print("Interrupted; the model so far is saved in {}\n", options_.out);
      return Interrupt::kStatus;
    }
    const bool passed = check();
    fmt::print("Model saved in {}\n", options_.out);
    fmt::print(
        "Validation: {:.3f} bits/char; knowing only how often each character occurs: {:.3f} "
        "(unigram entropy)\n",
        bits(valid_), unigram_entropy(text_));
    write();
    return passed ? 0 : 1;
  }

 private:
  static CharTrainingOptions training(const QuickstartOptions& options) {
    CharTrainingOptions result = kTraining;
    result.threads = options.threads;
    return result;
  }

  static std::string read_text(const QuickstartOptions& options, std::string* name) {
    nn::check_saving(options.out);
    if (!options.text.empty()) {
      if (same_file(options.out, options.text))
        fail<FileError>("--out '{}' is the text itself", options.out);
      *name = fmt::format("'{}'", options.text);
      return read_file(options.text);
    }
    SourceText source = gather_source_text();
    *name = fmt::format("the project's own source ({} files)", source.files);
    return source.text;
  }

  double elapsed() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

  /// Trains epoch after epoch until the time is over. False when interrupted.
  bool train() {
    const Interrupt interrupt;
    Progress progress;
    start_ = std::chrono::steady_clock::now();
    for (int epoch = 1; elapsed() < options_.seconds; ++epoch) {
      const std::string where = fmt::format("epoch {}", epoch);
      const Pass train = trainer_.train(corpus_.train, [&](const Pass& pass) {
        // Half a cosine from the full rate to nearly none, so that the last steps converge.
        const double done = std::fmin(1, elapsed() / options_.seconds);
        trainer_.optimizer().set_learning_rate(
            kTraining.learning_rate *
            (kLastRate + (1 - kLastRate) * (1 + std::cos(kPi * done)) / 2));
        if (progress.due()) progress.show(progress_line(where, pass, options_.seconds - elapsed()));
        return done < 1 && !interrupt.came();
      });
      const Pass valid = trainer_.validate(corpus_.valid, [&](const Pass& pass) {
        if (progress.due()) {
          const auto done = static_cast<double>(pass.steps),
                     all = static_cast<double>(pass.all_steps);
          progress.show(
              progress_line(where + " validation", pass, pass.seconds * (all / done - 1)));
        }
        return !interrupt.came();
      });
      if (interrupt.came()) return false;
      valid_ = valid.nats;
      progress.print(epoch_line(where, train, valid));
    }
    return true;
  }

  /// Compares backpropagation with finite differences of the loss, on the first steps of the text.
  /// False when they differ.
  bool check() {
    constexpr Size kSteps = 8, kElements = 20;
    const nn::Evaluation mode;
    const Indices symbols = corpus_.train.chunk(0, kSteps), next = corpus_.train.chunk(1, kSteps);
    const CheckReport report =
        check_gradients([&] { return cross_entropy(model_(symbols).logits, next); },
                        model_.parameters(), {.elements = kElements});
    fmt::print("Gradients against finite differences of the loss, in double: {}\n",
               report.to_string());
    return report.passed;
  }

  void write() {
    constexpr Size kLength = 600;
    fmt::print(
        "The model writes:\n\n{}\n\nMore: {} charlm sample --model {} --length 2000\n",
        sample(model_, {.length = kLength, .temperature = 0.7, .prime = "", .seed = options_.seed}),
        program_path(), options_.out);
  }

  QuickstartOptions options_;
  std::string name_, text_;
  Corpus corpus_;
  Rng rng_;
  CharModel model_;
  CharTrainer trainer_;
  std::chrono::steady_clock::time_point start_;
  double valid_ = 0;
};

}  // namespace

Command add_quickstart(CLI::App& program) {
  CLI::App* app = program.add_subcommand(
      "quickstart",
      "Train a character-level LSTM for a minute, check its gradients, sample from it");
  auto o = std::make_shared<QuickstartOptions>();
  app->add_option("--text", o->text, "File to train on (default: the project's own source text)")
      ->type_name("FILE");
  app->add_option("--seconds", o->seconds, "How long to train")
      ->check(number_from(0.1))
      ->type_name("X")
      ->capture_default_str();
  app->add_option("--out", o->out, "File for the model")->type_name("FILE")->capture_default_str();
  add_seed(*app, o->seed);
  add_training_threads(*app, o->threads);
  app->footer(kExamples);
  return {app, [o] { return Quickstart(*o).run(); }};
}

}  // namespace hindsight::tasks
