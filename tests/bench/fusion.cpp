#include <fmt/format.h>
#include <hindsight/autograd/autograd.h>
#include <hindsight/nn/init.h>

#include <CLI/CLI.hpp>
#include <array>

#include "measure.h"

/// The gain from fusing: an expression of n operations in one pass, against the same n operations
/// each with a Variable of its own. Forward and backward, in float32, on the gates of an LSTM.
namespace {

using namespace hindsight;

/// The inputs of a step: the addends of the gates, from the input, from the state and a bias
/// (chunks of (B, 4H), (B, 4H) and (4H,)), and the result c (B, H) of the previous step.
struct Operands {
  std::array<Variable, 4> x, u, b;
  Variable c;
};

struct Case {
  int operations;
  const char* formula;
  Variable (*fused)(const Operands&);
  Variable (*separate)(const Operands&);
};

const Case kCases[] = {
    {2, "sigmoid(f) * c",  //
     [](const Operands& s) -> Variable { return sigmoid(s.x[1]) * s.c; },
     [](const Operands& s) -> Variable {
       const Variable f = sigmoid(s.x[1]);
       return f * s.c;
     }},
    {3, "f * c + i * g",
     [](const Operands& s) -> Variable { return s.x[1] * s.c + s.x[0] * s.x[2]; },
     [](const Operands& s) -> Variable {
       const Variable kept = s.x[1] * s.c, added = s.x[0] * s.x[2];
       return kept + added;
     }},
    {6, "sigmoid(f) * c + sigmoid(i) * tanh(g)",
     [](const Operands& s) -> Variable {
       return sigmoid(s.x[1]) * s.c + sigmoid(s.x[0]) * tanh(s.x[2]);
     },
     [](const Operands& s) -> Variable {
       const Variable i = sigmoid(s.x[0]), f = sigmoid(s.x[1]), g = tanh(s.x[2]);
       const Variable kept = f * s.c, added = i * g;
       return kept + added;
     }},
    {12, "the same, each gate a sum of three",
     [](const Operands& s) -> Variable {
       return sigmoid(s.x[1] + s.u[1] + s.b[1]) * s.c +
              sigmoid(s.x[0] + s.u[0] + s.b[0]) * tanh(s.x[2] + s.u[2] + s.b[2]);
     },
     [](const Operands& s) -> Variable {
       const auto sum = [&](std::size_t k) {
         const Variable both = s.x[k] + s.u[k];
         return Variable(both + s.b[k]);
       };
       const Variable i = sigmoid(sum(0)), f = sigmoid(sum(1)), g = tanh(sum(2));
       const Variable kept = f * s.c, added = i * g;
       return kept + added;
     }}};

/// The expression at every step of a sequence, forward and backward. inputs, states: (T, B, 4H).
bench::Contestant contestant(const Tensor& inputs, const Tensor& states, const Tensor& bias,
                             const Tensor& cell, Variable (*f)(const Operands&)) {
  return {"", [=] {
            Tape tape;
            const Variable x = tape.watch(inputs), u = tape.watch(states), b = tape.watch(bias);
            Operands s{{}, {}, chunk<4>(b), tape.watch(cell)};
            for (Size t = 0; t < x.size(0); ++t) {
              s.x = chunk<4>(x[t]);
              s.u = chunk<4>(u[t]);
              s.c = f(s);
            }
            tape.backward(slice(s.c[0], 0, 0, 1));  // a sum would add the same cost to both
            return 0.0;
          }};
}

void run(Size steps, Size batch, Size hidden, double seconds) {
  Rng rng{1};
  const auto random = [&](const Shape& shape) { return nn::init::normal(shape, 1, rng); };
  const Tensor inputs = random({steps, batch, 4 * hidden}),
               states = random({steps, batch, 4 * hidden}), bias = random({4 * hidden}),
               cell = random({batch, hidden});
  const double scale = 1e6 / static_cast<double>(steps);
  fmt::print("microseconds per step, {} steps\n", steps);
  fmt::print("{:>3}  {:>9}  {:>9}  {:>11}  {:>9}  {:>5}\n", "n", "fused", "minimum", "separate",
             "minimum", "ratio");
  for (const Case& expression : kCases) {
    const auto times = bench::measure({contestant(inputs, states, bias, cell, expression.fused),
                                       contestant(inputs, states, bias, cell, expression.separate)},
                                      seconds);
    fmt::print("{:>3}  {:9.2f}  {:9.2f}  {:11.2f}  {:9.2f}  {:5.2f}  {}\n", expression.operations,
               times[0].median * scale, times[0].minimum * scale, times[1].median * scale,
               times[1].minimum * scale, times[0].median / times[1].median, expression.formula);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "An elementwise expression of n operations against the same n operations as a Variable each: "
      "forward and backward on the gates of an LSTM, float32");
  app.footer("\nexamples:\n  fusion\n  fusion --steps 1 --batch 1 --hidden 50\n");
  Size steps = 20, batch = 32, hidden = 128;
  double seconds = 1;
  app.add_option("--steps", steps, "On one tape")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--batch", batch)->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--hidden", hidden)->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--seconds", seconds, "For each expression, about")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  run(steps, batch, hidden, seconds);
}
