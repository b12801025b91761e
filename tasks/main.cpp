#include <fmt/format.h>

#include <cstdio>
#include <new>

#include "command.h"
#include "info.h"

/// The program build/tasks/hindsight: every task is a subcommand.
namespace {

using hindsight::tasks::Command;

constexpr const char* kExamples = R"(Examples:
  hindsight quickstart
  hindsight charlm train --text novel.txt --out novel.safetensors
  hindsight charlm sample --model novel.safetensors --prime "It was "
  hindsight gradcheck --model lstm --layers 2 --bidirectional
  hindsight info)";

/// The command that the user called: "hindsight charlm train".
std::string called(const CLI::App& program) {
  std::string name = "hindsight";
  const CLI::App* app = &program;
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
    name += " " + app->get_name();
  }
  return name;
}

/// The message when a command is missing or unknown; empty when there is one.
std::string missing_command(const CLI::App& program) {
  const CLI::App* app = &program;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  std::string names;
  for (const CLI::App* command : app->get_subcommands(nullptr)) {
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  if (names.empty()) return "";
  const std::vector<std::string> unknown = app->remaining();
  if (unknown.empty())
    return fmt::format("a command is needed: {}; see {} --help", names, called(program));
  return fmt::format("there is no command '{}': {}; see {} --help", unknown.front(), names,
                     called(program));
}

/// Prints one sentence on stderr and returns the exit status of every error.
int fail(const std::string& who, std::string what) {
  for (char& c : what) {
    if (c == '\n') c = ' ';
  }
  fmt::print(stderr, "{}: {}\n", who, what);
  return 1;
}

int run(int argc, char** argv) {
  CLI::App program("Recurrent networks by reverse-mode autodiff, on the command line", "hindsight");
  program.set_version_flag("--version", "hindsight " + hindsight::tasks::version());
  program.require_subcommand(1);
  program.footer(kExamples);
  std::vector<Command> commands = hindsight::tasks::add_charlm(program);
  commands.push_back(hindsight::tasks::add_gradcheck(program));
  commands.push_back(hindsight::tasks::add_quickstart(program));
  commands.push_back(hindsight::tasks::add_info(program));

  try {
    program.parse(argc, argv);
    for (const Command& command : commands) {
      if (command.app->parsed()) return command.run();
    }
    return fail("hindsight", "no such command");
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return program.exit(error);  // --help, --version
    const std::string missing = missing_command(program);
    if (!missing.empty()) return fail(called(program), missing);
    return fail(called(program), fmt::format("{}; see {} --help", error.what(), called(program)));
  } catch (const std::bad_alloc&) {
    return fail(called(program), "there is not enough memory for these sizes");
  } catch (const std::exception& error) {
    return fail(called(program), error.what());
  }
}

}  // namespace

int main(int argc, char** argv) { return run(argc, argv); }
