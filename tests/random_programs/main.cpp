#include <fmt/format.h>

#include <cstdlib>

#include "compare.h"
#include "generate.h"

using namespace hindsight;
using namespace hindsight::random_programs;

int main(int argc, char** argv) {
  const auto from = std::strtoull(argv[1], nullptr, 10),
             to = std::strtoull(argv[argc - 1], nullptr, 10);
  for (auto seed = from; seed <= to; ++seed) {
    const Program program = generate(seed);
    if (from == to) fmt::print("{}\n", to_text(program));
    Comparisons c(program);
    if (argc > 3) c.on_begin([](const char* n) { fmt::print(stderr, "{}\n", n); });
    const auto failure = c.run();
    if (failure) fmt::print("{} {}: {}\n", seed, failure->comparison, failure->text);
    if (failure) fflush(stdout);
  }
}
