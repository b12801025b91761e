#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace hindsight::tasks {

/// A subcommand, and the function that runs it and returns the exit status.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

/// Each adds a subcommand with its options and examples to the program.
std::vector<Command> add_charlm(CLI::App& program);
Command add_gradcheck(CLI::App& program);
Command add_quickstart(CLI::App& program);
Command add_info(CLI::App& program);

/// Checks of an option's value; their messages say what is needed.
CLI::Validator whole_number(std::int64_t low, std::int64_t high);
CLI::Validator number_from(double low);
CLI::Validator number_between(double low, double high);  ///< in [low, high)

/// The options --seed and --threads, the same for every command.
void add_seed(CLI::App& app, std::uint64_t& seed);
/// Of large matrix products; takes effect when the command line is parsed.
void add_threads(CLI::App& app);
/// Of training, and of large products outside of it; `threads` stays 0 where the option is left
/// out.
void add_training_threads(CLI::App& app, int& threads);

}  // namespace hindsight::tasks
