#include <fmt/format.h>
#include <hindsight/autograd/autograd.h>

#include <CLI/CLI.hpp>

#include "measure.h"

/// The time of a linear recurrence over (T, B, H) along the first axis, forward and backward, as a
/// multiple of that of copying its inputs and its output.

namespace {

using namespace hindsight;

Tensor random_tensor(const Shape& shape, double low, double high, DType dtype, Rng& rng) {
  const Tensor t(shape, dtype);
  for (Size i = 0; i < t.elements(); ++i) t.set(i, rng.uniform(low, high));
  return t;
}

struct Recurrence {
  Rng rng{1};
  Tensor decay, x, initial, cotangent;
  Tensor copies[3];
  Tape tape;
  std::vector<Variable> inputs;
  Variable y;

  Recurrence(const Shape& shape, DType dtype)
      : decay(random_tensor(shape, 0, 1, dtype, rng)),
        x(random_tensor(shape, -1, 1, dtype, rng)),
        initial(random_tensor({shape[1], shape[2]}, -1, 1, dtype, rng)),
        cotangent(random_tensor(shape, -1, 1, dtype, rng)),
        inputs{tape.watch(decay), tape.watch(x), tape.watch(initial)},
        y(linear_recurrence(inputs[0], inputs[1], 0, inputs[2])) {
    for (Tensor& copy : copies) copy = Tensor(shape, dtype);
  }

  double copy_all() {
    copy(decay, copies[0]);
    copy(x, copies[1]);
    copy(y.value(), copies[2]);
    return copies[2].at(0);
  }
  double forward() {
    const Tape::Pause pause;
    return linear_recurrence(decay, x, 0, initial).value().at(0);
  }
  /// The whole sweep, with a copy of the output's gradient.
  double backward() {
    return tape.gradient(y, inputs, {.cotangents = {cotangent}})[0].value().at(0);
  }
};

void print_row(const Shape& shape, DType dtype, double seconds) {
  Recurrence r(shape, dtype);
  const std::vector<bench::Timing> t = bench::measure({{"copy", [&] { return r.copy_all(); }},
                                                       {"forward", [&] { return r.forward(); }},
                                                       {"backward", [&] { return r.backward(); }}},
                                                      seconds);
  const auto ratio = [&](std::size_t i) { return t[i].median / t[0].median; };
  fmt::print("{:>4}, {:>2}, {:>4} {} | {:7.3f} | {:10.3f} | {:5.2f} | {:11.3f} | {:5.2f}\n",
             shape[0], shape[1], shape[2], name(dtype), 1e3 * t[0].median, 1e3 * t[1].median,
             ratio(1), 1e3 * t[2].median, ratio(2));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A linear recurrence, as multiples of copying its inputs and its output");
  double seconds = 4;
  app.add_option("--seconds", seconds, "for each row")->check(CLI::PositiveNumber);
  app.footer("\nexample:\n  scan --seconds 10\n");
  CLI11_PARSE(app, argc, argv);
  fmt::print(
      "one thread, median of interleaved runs\n"
      "   T,  B,    H         | copy ms | forward ms | ratio | backward ms | ratio\n");
  for (const Shape& shape : {Shape{4096, 8, 256}, {4096, 8, 1024}, {256, 8, 64}}) {
    for (DType dtype : {DType::f32, DType::f64}) print_row(shape, dtype, seconds);
  }
}
