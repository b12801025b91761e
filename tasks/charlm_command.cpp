#include <unistd.h>

#include <memory>
#include <optional>

#include "char_sampling.h"
#include "charlm_report.h"
#include "command.h"
#include "files.h"
#include "info.h"
#include "interrupt.h"
#include "progress.h"

namespace hindsight::tasks {
namespace {

constexpr const char* kTrainExamples = R"(Examples:
  hindsight charlm train --text novel.txt
  hindsight charlm train --text novel.txt --hidden 512 --layers 2 --dropout 0.2 --out novel.safetensors
  hindsight charlm train --text novel.txt --epochs 3 --metrics novel.csv --threads 1

Bytes are the symbols; the last tenth of the text is for validation. Ctrl-C saves the model and ends.
Metrics have one row an epoch; its seconds and speed are those of training, without validation.)";

constexpr const char* kSampleExamples = R"(Examples:
  hindsight charlm sample --model novel.safetensors
  hindsight charlm sample --model novel.safetensors --prime "It was " --length 2000 --temperature 0.6
  hindsight charlm sample --model novel.safetensors --temperature 0 --seed 7)";

constexpr const char* kMetricsHeader =
    "epoch,train_nats,valid_nats,valid_bits_per_char,seconds,characters_per_second";
constexpr double kValidationCost = 0.3;  // time for a character, relative to one of training

struct TrainOptions {
  std::string text, out = "model.safetensors", metrics;
  Size batch = 32, epochs = 10;
  CharModelOptions model;
  CharTrainingOptions training;
  std::uint64_t seed = 1;
};

/// `charlm train`, from the text to the saved model.
class TrainRun {
 public:
  explicit TrainRun(const TrainOptions& options)
      : options_(options),
        corpus_(read_text(options), fmt::format("'{}'", options.text), options.training.chunk,
                options.batch),
        rng_(options.seed),
        model_(make_model()),
        trainer_(model_, options.training) {
    if (!options.metrics.empty()) metrics_.emplace(options.metrics, kMetricsHeader);
  }

  int run() {
    try {
      return train();
    } catch (const NonFiniteError& error) {
      if (epoch_ == 1) throw;
      fail<NonFiniteError>("{}; {} holds the model after epoch {}", error.what(), options_.out,
                           epoch_ - 1);
    }
  }

 private:
  int train() {
    progress_.print(describe(model_));
    progress_.print(fmt::format("{} characters to train on, {} to validate on; {}",
                                grouped(corpus_.train.length() * options_.batch),
                                grouped(corpus_.valid.length() * options_.batch),
                                backend(trainer_.threads(options_.batch))));
    for (epoch_ = 1; epoch_ <= options_.epochs; ++epoch_) {
      const Pass train =
          trainer_.train(corpus_.train, [this](const Pass& pass) { return on_progress(pass, 1); });
      if (!train.complete()) return interrupted();
      const Pass valid = trainer_.validate(
          corpus_.valid, [this](const Pass& pass) { return on_progress(pass, kValidationCost); });
      if (!valid.complete()) return interrupted();
      progress_.print(epoch_line(where(), train, valid));
      if (metrics_) {
        metrics_->append(fmt::format("{},{:.6f},{:.6f},{:.6f},{:.3f},{:.0f}", epoch_, train.nats,
                                     valid.nats, bits(valid.nats), train.seconds,
                                     train.characters_per_second));
      }
      model_.save(options_.out);
    }
    progress_.print(fmt::format("Saved in {}", options_.out));
    return 0;
  }

  CharModel make_model() {
    check_memory(options_.model, options_.training, corpus_.vocabulary.size(), options_.batch);
    return CharModel(corpus_.vocabulary, options_.model, rng_);
  }

  /// Reads the text, and throws before training if a file could not be written after it.
  static std::string read_text(const TrainOptions& options) {
    std::string text = read_file(options.text);
    nn::check_saving(options.out);
    if (same_file(options.out, options.text))
      fail<FileError>("--out '{}' is the text itself", options.out);
    for (const std::string& other : {options.text, options.out}) {
      if (!options.metrics.empty() && same_file(options.metrics, other)) {
        fail<FileError>("--metrics '{}' is also the name of another file of this run",
                        options.metrics);
      }
    }
    return text;
  }

  std::string where() const { return fmt::format("epoch {}/{}", epoch_, options_.epochs); }

  /// Shows the progress; `cost` is the relative time for a character. False when interrupted.
  bool on_progress(const Pass& pass, double cost) {
    if (progress_.due()) {
      const double train = static_cast<double>(corpus_.train.steps());
      const double valid = kValidationCost * static_cast<double>(corpus_.valid.steps());
      const double done = static_cast<double>(epoch_ - 1) * (train + valid) +
                          (cost < 1 ? train : 0) + cost * static_cast<double>(pass.steps);
      const double all = static_cast<double>(options_.epochs) * (train + valid);
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
      progress_.show(progress_line(cost < 1 ? where() + " validation" : where(), pass,
                                   seconds * (all / done - 1)));
    }
    return !interrupt_.came();
  }

  int interrupted() {
    model_.save(options_.out);
    progress_.print(fmt::format("Interrupted in epoch {}; the model so far is saved in {}", epoch_,
                                options_.out));
    return Interrupt::kStatus;
  }

  TrainOptions options_;
  Interrupt interrupt_;
  Corpus corpus_;
  Rng rng_;
  CharModel model_;
  CharTrainer trainer_;
  std::optional<LineFile> metrics_;
  Progress progress_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  Size epoch_ = 1;
};

struct SampleOptions {
  std::string model;
  CharSamplingOptions sampling;
};

int run_sample(const SampleOptions& options) {
  CharModel model = CharModel::load(options.model);
  char last = '\n';
  const auto put = [&last](char byte) {
    if (std::fputc(byte, stdout) == EOF)
      fail<FileError>("cannot write the text: {}", std::strerror(errno));
    last = byte;
  };
  bool started = false;  // the prime is written late, so that nothing is when it is rejected
  sample(model, options.sampling, [&](char byte) {
    if (!std::exchange(started, true))
      std::for_each(options.sampling.prime.begin(), options.sampling.prime.end(), put);
    put(byte);
  });
  if (last != '\n' && isatty(STDOUT_FILENO) == 1) put('\n');
  if (std::fflush(stdout) != 0) fail<FileError>("cannot write the text: {}", std::strerror(errno));
  return 0;
}

Command add_train(CLI::App& charlm) {
  CLI::App* app = charlm.add_subcommand("train", "Train a model to predict a text, byte by byte");
  auto o = std::make_shared<TrainOptions>();
  const auto option = [app](const char* name, auto& value, const char* what,
                            const CLI::Validator& check, const char* type) {
    app->add_option(name, value, what)->check(check)->type_name(type)->capture_default_str();
  };
  app->add_option("--text", o->text, "File to train on")->required()->type_name("FILE");
  option("--hidden", o->model.hidden, "Units of each LSTM layer", whole_number(1, 16384), "N");
  option("--layers", o->model.layers, "LSTM layers", whole_number(1, 64), "N");
  option("--chunk", o->training.chunk, "Time steps from one update to the next",
         whole_number(1, 100000), "N");
  option("--window", o->training.window,
         "Time steps that gradients reach back, at least --chunk; 0 for as many as --chunk",
         whole_number(0, 100000), "N");
  option("--batch", o->batch, "Streams of text read side by side", whole_number(1, 4096), "N");
  option("--epochs", o->epochs, "Times to read the text", whole_number(1, 1000000), "N");
  option("--learning-rate", o->training.learning_rate, "Learning rate of Adam", number_from(0),
         "X");
  option("--clip", o->training.clip, "Largest norm of the gradient, 0 for no limit", number_from(0),
         "X");
  option("--dropout", o->model.dropout, "Share of each layer's output dropped in training",
         number_between(0, 1), "X");
  add_seed(*app, o->seed);
  app->add_option("--out", o->out, "File for the model")->type_name("FILE")->capture_default_str();
  app->add_option("--metrics", o->metrics, "CSV file for the losses of every epoch")
      ->type_name("FILE");
  add_training_threads(*app, o->training.threads);
  app->add_flag("--check-finite", o->training.check_finite,
                "Name the operation that first produces NaN or infinity (slow)");
  app->footer(kTrainExamples);
  return {app, [o] { return TrainRun(*o).run(); }};
}

Command add_sample(CLI::App& charlm) {
  CLI::App* app = charlm.add_subcommand("sample", "Write text with a trained model");
  auto o = std::make_shared<SampleOptions>();
  app->add_option("--model", o->model, "File that `charlm train` wrote")
      ->required()
      ->type_name("FILE");
  app->add_option("--length", o->sampling.length, "Bytes to write")
      ->check(whole_number(0, 1000000000000))
      ->type_name("N")
      ->capture_default_str();
  app->add_option("--temperature", o->sampling.temperature,
                  "Lower is more careful; 0 always takes the likeliest byte")
      ->check(number_from(0))
      ->type_name("X")
      ->capture_default_str();
  app->add_option("--prime", o->sampling.prime, "Text to continue")->type_name("TEXT");
  add_seed(*app, o->sampling.seed);
  add_threads(*app);
  app->footer(kSampleExamples);
  return {app, [o] { return run_sample(*o); }};
}

}  // namespace

std::vector<Command> add_charlm(CLI::App& program) {
  CLI::App* charlm = program.add_subcommand("charlm", "Character-level language models");
  charlm->require_subcommand(1);
  charlm->footer("Examples:\n  hindsight charlm train --help\n  hindsight charlm sample --help");
  return {add_train(*charlm), add_sample(*charlm)};
}

}  // namespace hindsight::tasks
