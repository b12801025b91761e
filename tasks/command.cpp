#include "command.h"

#include <fmt/format.h>
#include <hindsight/autograd/tensor/blas.h>

#include <charconv>
#include <cmath>

#include "info.h"

namespace hindsight::tasks {
namespace {

bool parse(const std::string& text, double* value) {
  char* end = nullptr;
  *value = std::strtod(text.c_str(), &end);
  return !text.empty() && *end == '\0' && std::isfinite(*value);
}

template <class T>
bool parse_whole(const std::string& text, T* value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && stop == end;
}

/// Validates with `check`, which returns a message, or "" when the value is valid.
CLI::Validator validator(std::function<std::string(std::string&)> check) {
  return CLI::Validator(std::move(check), "");
}

}  // namespace

CLI::Validator whole_number(std::int64_t low, std::int64_t high) {
  return validator([=](const std::string& text) -> std::string {
    std::int64_t value = 0;
    if (parse_whole(text, &value) && value >= low && value <= high) return "";
    return fmt::format("'{}' is not a whole number from {} to {}", text, low, high);
  });
}

CLI::Validator number_from(double low) {
  return validator([=](const std::string& text) -> std::string {
    double value = 0;
    if (parse(text, &value) && value >= low) return "";
    return fmt::format("'{}' is not a number of at least {}", text, low);
  });
}

CLI::Validator number_between(double low, double high) {
  return validator([=](const std::string& text) -> std::string {
    double value = 0;
    if (parse(text, &value) && value >= low && value < high) return "";
    return fmt::format("'{}' is not a number of at least {} and below {}", text, low, high);
  });
}

void add_seed(CLI::App& app, std::uint64_t& seed) {
  app.add_option("--seed", seed, "Seed of the random numbers; the same seed gives the same result")
      ->check(validator([](const std::string& text) -> std::string {
        std::uint64_t value = 0;
        if (parse_whole(text, &value)) return "";
        return fmt::format("'{}' is not a whole number from 0 to {}", text, UINT64_MAX);
      }))
      ->type_name("N")
      ->capture_default_str();
}

void add_threads(CLI::App& app) {
  app.add_option_function<int>(
         "--threads", [](int count) { blas::set_threads(count); },
         "Threads for large matrix products (default: OMP_NUM_THREADS, else 1). "
         "More are faster only on an otherwise idle machine")
      ->check(whole_number(1, 1024))
      ->type_name("N");
}

void add_training_threads(CLI::App& app, int& threads) {
  app.add_option_function<int>(
         "--threads",
         [&threads](int count) {
           threads = count;
           blas::set_threads(count);
         },
         "Threads to divide each batch over (default: OMP_NUM_THREADS, else all processors, where "
         "the model is large enough). Results differ in the last digits from number to number")
      ->check(whole_number(1, 1024))
      ->type_name("N");
}

Command add_info(CLI::App& program) {
  CLI::App* app =
      program.add_subcommand("info", "Show how this program was built and what it runs on");
  app->footer("Examples:\n  hindsight info");
  return {app, [] {
            fmt::print("{}", info());
            return 0;
          }};
}

}  // namespace hindsight::tasks
