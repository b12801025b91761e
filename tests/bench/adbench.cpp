#include <fmt/format.h>
#include <hindsight/autograd/tensor/blas.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "adbench_model.h"
#include "measure.h"

/// The LSTM objective of ADBench: its value, its gradient, and their times.
namespace {

using namespace hindsight::bench;

const char* const kExamples = R"(
FILE is an input of ADBench's LSTM objective, of any number of layers, characters and bits.

examples:
  adbench data/lstm/lstm_l2_c1024.txt
  adbench data/lstm/lstm_l4_c4096.txt --seconds 10
)";

void print_entries(const std::vector<double>& gradient) {
  const std::size_t shown = std::min<std::size_t>(5, gradient.size());
  const auto join = [](auto begin, auto end) {
    return fmt::format("{:.10g}", fmt::join(begin, end, " "));
  };
  const auto count = static_cast<std::ptrdiff_t>(shown);
  fmt::print("first entries    {}\n", join(gradient.begin(), gradient.begin() + count));
  fmt::print("last entries     {}\n", join(gradient.end() - count, gradient.end()));
}

void run(const std::string& path, double seconds) {
  AdbenchModel model(read_adbench(path));
  std::vector<double> gradient;
  const double objective = model.gradient(&gradient);
  double squares = 0;
  for (double entry : gradient) squares += entry * entry;
  if (!std::isfinite(objective) || !std::isfinite(squares))
    hindsight::fail<hindsight::NonFiniteError>(
        "{}: its objective is {}, the square of its gradient's norm {}", path, objective, squares);
  fmt::print("objective        {:.12g}\n", objective);
  fmt::print("gradient norm    {:.12g}, of {} entries\n", std::sqrt(squares), gradient.size());
  print_entries(gradient);
  const std::vector<Timing> times =
      measure({{"objective", [&] { return model.objective().item(); }},
               {"gradient", [&] { return model.gradient(&gradient); }}},
              seconds);
  fmt::print("objective ms     {:.4f} (minimum {:.4f})\n", times[0].median * 1e3,
             times[0].minimum * 1e3);
  fmt::print("gradient ms      {:.4f} (minimum {:.4f})\n", times[1].median * 1e3,
             times[1].minimum * 1e3);
  fmt::print("ratio            {:.2f} (of minima {:.2f})\n", times[1].median / times[0].median,
             times[1].minimum / times[0].minimum);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("The LSTM objective of ADBench in double: value, gradient, and the time they take");
  app.footer(kExamples);
  std::string path;
  double seconds = 2;
  app.add_option("file", path, "The objective's input")->required()->type_name("FILE");
  app.add_option("--seconds", seconds, "Time to measure, about")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    hindsight::blas::set_threads(1);
    run(path, seconds);
    return 0;
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "adbench: {}: takes more memory than there is\n", path);
  } catch (const std::exception& error) {
    fmt::print(stderr, "adbench: {}\n", error.what());
  }
  return 1;
}
