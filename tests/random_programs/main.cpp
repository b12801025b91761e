#include <fmt/format.h>

#include <cstdlib>

#include "execution.h"
#include "generate.h"

using namespace hindsight;
using namespace hindsight::random_programs;

int main(int argc, char** argv) {
  const auto from = std::strtoull(argv[1], nullptr, 10),
             to = std::strtoull(argv[argc - 1], nullptr, 10);
  for (auto seed = from; seed <= to; ++seed) {
    const Program program = generate(seed);
    if (from == to) fmt::print("{}\n", to_text(program));
    const Instance instance(program, DType::f64);
    Execution execution(instance);
    Tape tape;
    const auto in = instance.inputs();
    const Variable loss = execution.loss(in);
    const auto g = tape.gradient(loss, in);
    if (from == to) fmt::print("{} {}\n", loss.item(), g.size());
  }
}
