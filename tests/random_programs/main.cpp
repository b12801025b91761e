#include <hindsight/autograd/tensor/blas.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "command.h"
#include "generate.h"
#include "interrupt.h"
#include "planted.h"
#include "progress.h"
#include "shrink.h"
#include "text.h"
#include "worker.h"

/// The program build/tests/random_programs.
namespace hindsight::random_programs {
namespace {

using tasks::Interrupt;
using tasks::Progress;
using Clock = std::chrono::steady_clock;

constexpr const char* kExamples = R"(Examples:
  build/tests/random_programs --seeds 1:300
  build/tests/random_programs --seeds 1:100000 --threads 2
  build/tests/random_programs --seed 17
  build/tests/random_programs --planted --seeds 1:3000

Random programs of all kinds of operations, checkpoints, sequences and networks. The gradient of each
is compared with differences, with forward mode, and with itself asked for in other ways. A program
that fails is made shorter and printed. The status is 0 where all agree and 1 where something does
not. With --planted, a mistake is made in the backward of one operation of each program, and the
status is 0 where the gradient check catches 99 % of those that change the gradient.)";

constexpr Size kMostShrunk = 5;          // further failures are named by their seed
constexpr double kSecondsToShrink = 60;  // for each
constexpr double kWanted = 0.99;         // of the planted mistakes

struct Options {
  std::string seeds = "1:300";
  std::uint64_t seed = 0;
  bool one = false, planted = false;
  int threads = 1;
};

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Makes a failing program shorter and prints it.
void explain(const Program& program, const Failure& failure, const Interrupt& interrupt,
             Progress* progress) {
  progress->print(fmt::format("Seed {} fails. {}", program.seed, failure.to_string()));
  const Clock::time_point begin = Clock::now();
  const auto fails = [&](const Program& candidate) {
    const auto again = judge_again(candidate, failure.comparison);
    return again && again->comparison == failure.comparison;
  };
  if (!fails(program))
    return progress->print("Done once more it does not fail:\n" + to_text(program));
  const Program shortest = shrink(program, fails, [&] {
    if (progress->due())
      progress->show(fmt::format("making the program of seed {} shorter", program.seed));
    return !interrupt.came() && since(begin) < kSecondsToShrink;
  });
  const auto left = judge_again(shortest, failure.comparison);
  progress->print(fmt::format("{}\n{}\n", to_text(shortest), (left ? *left : failure).to_string()));
}

int run_one(std::uint64_t seed) {
  const Interrupt interrupt;
  Progress progress;
  const Program program = generate(seed);
  progress.print(to_text(program));
  const auto failure = judge(program);
  if (failure) explain(program, *failure, interrupt, &progress);
  progress.print(failure ? "1 program, 1 failure." : "1 program, 0 failures.");
  return failure ? 1 : 0;
}

int run_all(std::uint64_t first, std::uint64_t last, int threads) {
  const Interrupt interrupt;
  Progress progress;
  const Clock::time_point begin = Clock::now();
  Size failures = 0;
  const auto failed = [&](std::uint64_t seed, const std::string& what) {
    if (++failures > kMostShrunk)
      return progress.print(fmt::format("Seed {} fails. {}", seed, what));
    const Program program = generate(seed);
    if (const auto failure = judge(program))
      return explain(program, *failure, interrupt, &progress);
    progress.print(
        fmt::format("Seed {} fails, but not on its own. {}\n{}", seed, what, to_text(program)));
  };
  const auto so_far = [&](const Count& count) {
    return fmt::format("{} comparisons, {} failure{}, {}", count.comparisons, failures,
                       failures == 1 ? "" : "s", tasks::duration(since(begin)));
  };
  const auto go_on = [&](const Count& count) {
    if (progress.due()) {
      progress.show(
          fmt::format("{} of {} programs, {}", count.programs, last - first + 1, so_far(count)));
    }
    return !interrupt.came();
  };
  const Count count = run_seeds(first, last, threads, failed, go_on);
  progress.print(fmt::format("{}{} programs, {}.", interrupt.came() ? "Interrupted: " : "",
                             count.programs, so_far(count)));
  if (interrupt.came()) return Interrupt::kStatus;
  return failures == 0 ? 0 : 1;
}

int run_planted(std::uint64_t first, std::uint64_t last) {
  const Interrupt interrupt;
  Progress progress;
  const auto look = [&](std::uint64_t seed, const std::optional<PlantedResult>& result) {
    if (result && !result->alarm.empty())
      progress.print(fmt::format("Seed {}, nothing planted: {}", seed, result->alarm));
    if (result && result->changed() && !result->caught) {
      progress.print(fmt::format("Seed {}, missed: {}, {:.2g} of the gradient. {}", seed,
                                 result->mistake, result->change, result->report));
    }
    if (progress.due())
      progress.show(fmt::format("{} of {} programs", seed - first + 1, last - first + 1));
    return !interrupt.came();
  };
  const PlantedCount count = plant_mistakes(first, last, look);
  progress.print(count.to_string() + ".");
  if (interrupt.came()) return Interrupt::kStatus;
  return count.share() >= kWanted && count.alarms == 0 ? 0 : 1;
}

/// "1:300" as numbers.
bool parse_range(const std::string& text, std::uint64_t* first, std::uint64_t* last) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return false;
  return CLI::detail::lexical_cast(text.substr(0, colon), *first) &&
         CLI::detail::lexical_cast(text.substr(colon + 1), *last) && *first <= *last;
}

int run(int argc, char** argv) {
  CLI::App program("Compare the gradients of random programs", "random_programs");
  Options o;
  program.add_option("--seeds", o.seeds, "Seeds of the programs, first and last")
      ->type_name("N:N")
      ->capture_default_str()
      ->check(CLI::Validator(
          [](const std::string& text) -> std::string {
            std::uint64_t first, last;
            if (parse_range(text, &first, &last)) return "";
            return fmt::format("'{}' is not a range of seeds such as 1:300", text);
          },
          ""));
  CLI::Option* seed =
      program.add_option("--seed", o.seed, "Print the program of one seed, and compare it")
          ->type_name("N");
  program.add_flag("--planted", o.planted,
                   "Count which planted mistakes the gradient check catches");
  program.add_option("--threads", o.threads, "Programs that run at once")
      ->check(tasks::whole_number(1, 1024))
      ->type_name("N")
      ->capture_default_str();
  program.footer(kExamples);
  try {
    program.parse(argc, argv);
    blas::set_threads(1);  // the products are small, and processes are forked
    if (*seed) return run_one(o.seed);
    std::uint64_t first = 0, last = 0;
    parse_range(o.seeds, &first, &last);
    return o.planted ? run_planted(first, last) : run_all(first, last, o.threads);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error);  // --help
    fmt::print(stderr, "random_programs: {}; see random_programs --help\n", error.what());
  } catch (const std::exception& error) {
    fmt::print(stderr, "random_programs: {}\n", error.what());
  }
  return 1;
}

}  // namespace
}  // namespace hindsight::random_programs

int main(int argc, char** argv) { return hindsight::random_programs::run(argc, argv); }
