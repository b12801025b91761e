#include <fmt/format.h>
#include <hindsight/autograd/autograd.h>
#include <hindsight/nn/nn.h>

#include <CLI/CLI.hpp>

#include "measure.h"

/// The time of a derivative call as a multiple of that of one gradient of the same loss: an LSTM
/// with a linear readout to V = I classes at every step, mean cross-entropy.

namespace {

using namespace hindsight;

Tensor random_tensor(const Shape& shape, DType dtype, double bound, Rng& rng) {
  const Tensor t(shape, dtype);
  for (Size i = 0; i < t.elements(); ++i) t.set(i, rng.uniform(-bound, bound));
  return t;
}

struct Model {
  bench::Shape shape;
  Rng rng{1};
  nn::Lstm lstm{{.input = shape.I, .hidden = shape.H}, rng};
  nn::Linear readout{{.inputs = shape.H, .outputs = shape.I}, rng};
  Tensor x;
  Indices targets{Shape{shape.T, shape.B}};
  std::vector<Parameter> parameters;
  std::vector<Tensor> direction;

  Model(const bench::Shape& s, DType dtype) : shape(s) {
    lstm.to(dtype);
    readout.to(dtype);
    x = random_tensor({shape.T, shape.B, shape.I}, dtype, 1, rng);
    for (Size i = 0; i < targets.elements(); ++i)
      targets.data()[i] = static_cast<std::int64_t>(rng.uniform(0, static_cast<double>(shape.I)));
    parameters = lstm.parameters();
    for (const Parameter& p : readout.parameters()) parameters.push_back(p);
    for (const Parameter& p : parameters)
      direction.push_back(random_tensor(p.shape(), dtype, 1, rng));
  }

  Variable logits() { return readout(lstm(Variable(x)).outputs); }
  Variable loss_of(const Variable& outputs) const { return cross_entropy(outputs, targets); }
  Variable loss() { return loss_of(logits()); }

  double gradient() {
    Tape tape;
    const Variable value = loss();
    tape.backward(value);
    for (Parameter& p : parameters) p.clear_gradient();
    return value.item();
  }
  double jacobian_product() {
    return jvp([this] { return logits(); }, parameters, direction).tangent.at(0);
  }
  double hessian_product() {
    return hessian_vector_product([this] { return loss(); }, parameters, direction)[0].at(0);
  }
  double gauss_newton_product() {
    return gauss_newton_vector_product([this] { return logits(); },
                                       [this](const Variable& z) { return loss_of(z); }, parameters,
                                       direction)[0]
        .at(0);
  }
};

void print_row(const bench::Shape& shape, DType dtype, double seconds) {
  Model model(shape, dtype);
  const std::vector<bench::Timing> t =
      bench::measure({{"gradient", [&] { return model.gradient(); }},
                      {"jvp", [&] { return model.jacobian_product(); }},
                      {"hvp", [&] { return model.hessian_product(); }},
                      {"gnvp", [&] { return model.gauss_newton_product(); }}},
                     seconds);
  fmt::print("{:>3}, {:>2}, {:>3}, {:>3} {} | {:8.2f} | {:5.2f} | {:5.2f} | {:5.2f}\n", shape.T,
             shape.B, shape.I, shape.H, name(dtype), 1e3 * t[0].minimum,
             t[1].minimum / t[0].minimum, t[2].minimum / t[0].minimum, t[3].minimum / t[0].minimum);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("What jvp, Hessian and Gauss-Newton products cost, as multiples of one gradient");
  double seconds = 2;
  app.add_option("--seconds", seconds, "for each row")->check(CLI::PositiveNumber);
  app.footer("\nexample:\n  derivatives --seconds 5\n");
  CLI11_PARSE(app, argc, argv);
  blas::set_threads(1);
  fmt::print(
      "one thread, minimum of all runs\n  T,  B,   I,   H     | gradient ms | jvp | H v | G v\n");
  for (const bench::Shape& shape :
       {bench::Shape{100, 20, 6, 50}, {50, 32, 64, 128}, {100, 32, 64, 128}, {50, 64, 128, 256}}) {
    for (DType dtype : {DType::f32, DType::f64}) print_row(shape, dtype, seconds);
  }
}
