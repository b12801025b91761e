#include <fmt/format.h>
#include <hindsight/autograd/tensor/blas.h>

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
divided over threads, of the same cell written by a user, of the step by hand, of its matrix products alone
and of PyTorch; then ratios of the medians.

examples:
  recurrent                                        both models, five shapes, one thread
  recurrent --model lstm --shape 100,20,6,50 --seconds 10
  recurrent --threads 2 --only step --only threads  the library's step with two threads and with one
  recurrent --csv > recurrent.csv
)";

struct Options {
  std::vector<std::string> models = {"lstm", "rnn"};
  std::vector<std::string> shapes = kShapes;
  double seconds = 4;
  int threads = 1, product_threads = 1;
  std::vector<std::string> only;
  bool csv = false;
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
  const auto wanted = [&](const std::string& name) {
    return options.only.empty() ||
           std::find(options.only.begin(), options.only.end(), name) != options.only.end();
  };
  std::vector<Contestant> all;
  if (wanted("step")) all.push_back(library_step(problem));
  if (wanted("threads") && options.threads > 1)
    all.push_back(parallel_step(problem, options.threads));
  if (wanted("user") && problem.model == "lstm") all.push_back(user_step(problem));
  if (wanted("hand-written")) all.push_back(handwritten_step(problem));
  if (wanted("products")) all.push_back(products_alone(problem));
  if (!wanted("PyTorch")) return all;
  if (auto torch = torch_step(problem, options.product_threads)) all.push_back(*torch);
  return all;
}

/// Reports on stderr who computes another loss than the first contestant; true if all agree.
bool losses_agree(const std::vector<Contestant>& contestants, const std::string& title) {
  bool agree = true;
  if (contestants.empty()) throw std::invalid_argument("--only: no contestant takes part");
  for (int step = 0; step < kComparedSteps; ++step) {
    const double expected = contestants.front().step();
    for (std::size_t k = 1; k < contestants.size(); ++k) {
      const double loss = contestants[k].step();
      if (std::isnan(loss) && contestants[k].name == "products") continue;
      if (std::abs(loss - expected) <= kAgreement * std::abs(expected)) continue;
      fmt::print(stderr, "{}: the loss of {} at step {} is {}, that of {} is {}\n", title,
                 contestants[k].name, step + 1, loss, contestants.front().name, expected);
      agree = false;
    }
  }
  return agree;
}

/// One contestant's time over another's.
struct Ratio {
  const char *above, *below;
};
constexpr const char* kContestants[] = {"step",         "threads",  "user",
                                        "hand-written", "products", "PyTorch"};
constexpr Ratio kRatios[] = {{"step", "hand-written"},
                             {"products", "step"},
                             {"PyTorch", "step"},
                             {"user", "step"},
                             {"threads", "step"}};

/// The table: a row for each model and shape; for each contestant the median and the minimum in ms,
/// then ratios of the medians. "-" for a contestant that did not take part.
std::vector<std::string> headings() {
  std::vector<std::string> cells = {"model", "T,B,I,H"};
  for (const char* name : kContestants) {
    cells.push_back(fmt::format("{} ms", name));
    cells.push_back("min");
  }
  for (const Ratio& ratio : kRatios)
    cells.push_back(fmt::format("{}/{}", ratio.above, ratio.below));
  return cells;
}

std::vector<std::string> results(const Problem& problem, const std::string& shape,
                                 const std::vector<Contestant>& contestants,
                                 const std::vector<Timing>& timings) {
  const auto find = [&](const std::string& name) -> const Timing* {
    for (std::size_t k = 0; k < contestants.size(); ++k) {
      if (contestants[k].name == name) return &timings[k];
    }
    return nullptr;
  };
  std::vector<std::string> cells = {problem.model, shape};
  for (const char* name : kContestants) {
    const Timing* timing = find(name);
    cells.push_back(timing ? fmt::format("{:.4f}", timing->median * 1e3) : "-");
    cells.push_back(timing ? fmt::format("{:.4f}", timing->minimum * 1e3) : "-");
  }
  for (const Ratio& ratio : kRatios) {
    const Timing *above = find(ratio.above), *below = find(ratio.below);
    cells.push_back(above && below ? fmt::format("{:.3f}", above->median / below->median) : "-");
  }
  return cells;
}

void print_row(const Options& options, const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (options.csv) {
      const bool quoted = cells[i].find(',') != std::string::npos;
      line += fmt::format(quoted ? "{}\"{}\"" : "{}{}", i == 0 ? "" : ",", cells[i]);
    } else {
      const std::size_t width = std::max<std::size_t>(headings()[i].size(), i == 0   ? 5
                                                                            : i == 1 ? 13
                                                                                     : 8);
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
  print_row(options, headings());
  bool agree = true;
  for (const std::string& model : options.models) {
    for (std::size_t k = 0; k < shapes.size(); ++k) {
      const Problem problem = make_problem(model, shapes[k], 1);
      const auto contestants = contestants_for(problem, options);
      agree &= losses_agree(contestants, model + " " + options.shapes[k]);
      print_row(options, results(problem, options.shapes[k], contestants,
                                 measure(contestants, options.seconds)));
    }
  }
  return agree;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "One training step of an LSTM and a tanh RNN by the library, by hand, by its products "
      "alone and by PyTorch");
  app.footer(kExamples);
  Options options;
  app.add_flag("--csv", options.csv, "Comma-separated values");
  app.add_option("--shape", options.shapes,
                 "Time, batch, input and hidden size (default: all five)")
      ->type_name("T,B,I,H");
  app.add_option("--model", options.models, "lstm or rnn (default: both)")
      ->check(CLI::IsMember({"lstm", "rnn"}));
  app.add_option("--seconds", options.seconds, "For each model and shape, about")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", options.threads,
                 "Also time the library's step with the batch divided over so many threads")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--only", options.only, "Contestants to time (default: all)")
      ->check(CLI::IsMember({"step", "threads", "user", "hand-written", "products", "PyTorch"}));
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
