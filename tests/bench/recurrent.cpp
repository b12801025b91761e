#include <fmt/format.h>
#include <hindsight/autograd/tensor/blas.h>
#include <hindsight/autograd/tensor/pool.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "contestants.h"
#include "measure.h"

/// The recurrent bench: one training step by each contestant that supports it.
namespace {

using namespace hindsight::bench;

constexpr double kAgreement = 1e-4;  // relative: float sums in different orders differ by ~1e-6
constexpr int kComparedSteps = 3;    // the losses after an update show whether the updates agree

const std::vector<std::string> kShapes = {"100,20,6,50", "100,32,64,128", "50,64,128,256",
                                          "35,20,650,650", "100,1,64,128"};
const char* const kExamples = R"(
One line per model and shape: median and minimum in ms of the library's step, of the same with the batch
divided over threads, of the same cell written by a user, of one without a projection, of the step by hand,
of its matrix products alone and of PyTorch; then ratios of the medians. With --lengths: a full batch, and
ragged ones of mean length T/2. With --inference: a sequence without a tape, and single steps with batch 1.

examples:
  recurrent                                        all models, five shapes, one thread
  recurrent --model lstm --shape 100,20,6,50 --seconds 10
  recurrent --threads 2 --only step --only threads  the library's step with two threads and with one
  recurrent --model lstm --lengths
  recurrent --model lstm --inference --shape 100,1,64,128
  recurrent --csv > recurrent.csv
)";

const std::vector<std::string> kModels = {"lstm", "rnn", "gru", "bilstm", "custom"};

const std::vector<std::string> kContestants = {"step",         "threads",  "user",   "naive",
                                               "hand-written", "products", "PyTorch"};

struct Options {
  std::vector<std::string> models = kModels;
  std::vector<std::string> shapes = kShapes;
  double seconds = 4;
  int threads = 1, product_threads = 1;
  std::vector<std::string> only;
  bool csv = false, lengths = false, inference = false;
};

Shape parse_shape(const std::string& text) {
  int end = 0;
  long long v[4] = {};
  if (std::sscanf(text.c_str(), "%lld,%lld,%lld,%lld%n", &v[0], &v[1], &v[2], &v[3], &end) != 4 ||
      end != static_cast<int>(text.size()) || *std::min_element(v, v + 4) < 1) {
    throw std::invalid_argument(
        fmt::format("--shape {}: a shape is T,B,I,H, four positive integers", text));
  }
  return {v[0], v[1], v[2], v[3]};
}

std::vector<Contestant> contestants_for(const Problem& problem, const Options& options) {
  if (options.lengths) return ragged_steps(problem);
  std::vector<Contestant> all;
  const auto add = [&](const std::optional<Contestant>& one) {
    if (one) all.push_back(*one);
  };
  if (options.inference) {
    add(library_inference(problem));
    add(torch_inference(problem, options.product_threads));
    add(library_decoding(problem));
    return all;
  }
  const auto wanted = [&](const std::string& name) {
    return options.only.empty() ||
           std::find(options.only.begin(), options.only.end(), name) != options.only.end();
  };
  if (wanted("step")) add(library_step(problem));
  if (wanted("threads") && options.threads > 1) add(parallel_step(problem, options.threads));
  if (wanted("user")) add(user_step(problem));
  if (wanted("naive")) add(naive_step(problem));
  if (wanted("hand-written")) add(handwritten_step(problem));
  if (wanted("products")) add(products_alone(problem));
  if (wanted("PyTorch")) add(torch_step(problem, options.product_threads));
  return all;
}

/// Reports on stderr who computes another loss than the first contestant; true if all agree.
bool losses_agree(const std::vector<Contestant>& contestants, const std::string& title) {
  bool agree = true;
  // The first of three batches is a full one; decoding takes other steps.
  const std::size_t first = contestants.back().name == "sorted" ? 1 : 0;
  for (int step = 0; step < kComparedSteps; ++step) {
    const double expected = contestants[first].step();
    for (std::size_t k = first + 1; k < contestants.size(); ++k) {
      const double loss = contestants[k].step();
      if (contestants[k].name == "products" || contestants[k].name == "decoding") continue;
      if (std::abs(loss - expected) <= kAgreement * std::abs(expected)) continue;
      fmt::print(stderr, "{}: the result of {} at step {} is {}, that of {} is {}\n", title,
                 contestants[k].name, step + 1, loss, contestants[first].name, expected);
      agree = false;
    }
  }
  return agree;
}

/// One contestant's time over another's.
struct Ratio {
  const char *above, *below;
};
/// What the table of a run shows.
struct Columns {
  std::vector<std::string> contestants;
  std::vector<Ratio> ratios;
};
Columns columns_of(const Options& options) {
  if (options.lengths)
    return {{"step", "ragged", "sorted"}, {{"ragged", "step"}, {"sorted", "step"}}};
  if (options.inference)
    return {{"sequence", "PyTorch sequence", "decoding"}, {{"PyTorch sequence", "sequence"}}};
  return {kContestants,
          {{"hand-written", "step"},
           {"products", "step"},
           {"PyTorch", "step"},
           {"user", "step"},
           {"threads", "step"},
           {"naive", "user"}}};
}

/// The table: a row for each model and shape; for each contestant the median and the minimum in ms,
/// then ratios of the medians. "-" for a contestant that did not take part. Decoding: in us for
/// each time step, with the blocks that the pool allocated from the system in a run.
std::vector<std::string> headings(const Options& options) {
  std::vector<std::string> cells = {"model", "T,B,I,H"};
  const Columns columns = columns_of(options);
  for (const std::string& name : columns.contestants) {
    cells.push_back(name + (name == "decoding" ? " us" : " ms"));
    cells.push_back("min");
  }
  for (const Ratio& ratio : columns.ratios)
    cells.push_back(fmt::format("{}/{}", ratio.above, ratio.below));
  if (options.inference) cells.push_back("allocations");
  return cells;
}

/// Blocks that one more run of a contestant allocates.
std::string allocations(const std::vector<Contestant>& contestants, const std::string& name) {
  for (const Contestant& contestant : contestants) {
    if (contestant.name != name) continue;
    const auto before = hindsight::pool::statistics().system_allocations;
    contestant.step();
    return fmt::format("{}", hindsight::pool::statistics().system_allocations - before);
  }
  return "-";
}

std::vector<std::string> results(const Options& options, const Problem& problem,
                                 const std::string& shape,
                                 const std::vector<Contestant>& contestants,
                                 const std::vector<Timing>& timings) {
  const auto find = [&](const std::string& name) -> const Timing* {
    for (std::size_t k = 0; k < contestants.size(); ++k) {
      if (contestants[k].name == name) return &timings[k];
    }
    return nullptr;
  };
  std::vector<std::string> cells = {problem.model, shape};
  const Columns columns = columns_of(options);
  for (const std::string& name : columns.contestants) {
    const Timing* timing = find(name);
    const double unit = name == "decoding" ? 1e6 / static_cast<double>(problem.T) : 1e3;
    cells.push_back(timing ? fmt::format("{:.4f}", timing->median * unit) : "-");
    cells.push_back(timing ? fmt::format("{:.4f}", timing->minimum * unit) : "-");
  }
  for (const Ratio& ratio : columns.ratios) {
    const Timing *above = find(ratio.above), *below = find(ratio.below);
    cells.push_back(above && below ? fmt::format("{:.3f}", above->median / below->median) : "-");
  }
  if (options.inference) cells.push_back(allocations(contestants, "decoding"));
  return cells;
}

void print_row(const Options& options, const std::vector<std::string>& cells) {
  const std::vector<std::string> names = headings(options);
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (options.csv) {
      const bool quoted = cells[i].find(',') != std::string::npos;
      line += fmt::format(quoted ? "{}\"{}\"" : "{}{}", i == 0 ? "" : ",", cells[i]);
    } else {
      const std::size_t least = i == 0 ? 6 : i == 1 ? 13 : 8;
      const std::size_t width = std::max(names[i].size(), least);
      line += fmt::format(i < 2 ? "{:<{}}  " : "{:>{}}  ", cells[i], width);
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

bool run(const Options& options) {
  std::vector<Shape> shapes;
  for (const std::string& text : options.shapes) shapes.push_back(parse_shape(text));
  hindsight::blas::set_threads(options.product_threads);
  const auto blas = hindsight::blas::info();
  fmt::print(stderr, "{}, {} kernels, {} thread{}\n", blas.backend, blas.kernels, blas.threads,
             blas.threads == 1 ? "" : "s");
  print_row(options, headings(options));
  bool agree = true, any = false;
  for (const std::string& model : options.models) {
    for (std::size_t k = 0; k < shapes.size(); ++k) {
      const Problem problem = make_problem(model, shapes[k], 1);
      const auto contestants = contestants_for(problem, options);
      if (contestants.empty()) continue;
      any = true;
      agree &= losses_agree(contestants, model + " " + options.shapes[k]);
      print_row(options, results(options, problem, options.shapes[k], contestants,
                                 measure(contestants, options.seconds)));
    }
  }
  if (!any) throw std::invalid_argument("no contestant takes part");
  return agree;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "One training step of recurrent networks by the library, by hand, by their products alone "
      "and "
      "by PyTorch; ragged batches and inference");
  app.footer(kExamples);
  Options options;
  app.add_flag("--csv", options.csv, "Comma-separated values");
  app.add_option("--shape", options.shapes,
                 "Time, batch, input and hidden size (default: all five)")
      ->type_name("T,B,I,H");
  app.add_option("--model", options.models, "lstm, rnn, gru, bilstm or custom (default: all)")
      ->check(CLI::IsMember(kModels));
  const auto lengths = app.add_flag("--lengths", options.lengths,
                                    "Ragged batches of mean length T/2 beside a full one");
  app.add_flag("--inference", options.inference,
               "A whole sequence without a tape, and single steps with batch 1")
      ->excludes(lengths);
  app.add_option("--seconds", options.seconds, "For each model and shape, about")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", options.threads,
                 "Also time the library's step with the batch divided over so many threads")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--only", options.only, "Contestants to time (default: all)")
      ->check(CLI::IsMember(kContestants));
  app.add_option("--product-threads", options.product_threads,
                 "Threads a large product may use, except in `threads`")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options) ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "recurrent: {}\n", error.what());
    return 1;
  }
}
