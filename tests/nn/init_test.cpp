// Initial values: ranges, moments, orthogonality.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

namespace init = nn::init;

/// Unlike doctest's Approx, which adds 1 to the magnitude.
double relative_error(double got, double wanted) { return std::abs(got / wanted - 1); }

/// Mean, deviation from 0, largest magnitude.
std::array<double, 3> moments(const Tensor& t) {
  double mean = 0, square_mean = 0, largest = 0;
  for (double x : t.to_vector()) {
    mean += x;
    square_mean += x * x;
    largest = std::max(largest, std::abs(x));
  }
  const auto n = static_cast<double>(t.elements());
  return {mean / n, std::sqrt(square_mean / n), largest};
}

TEST_CASE("initial values") {
  Rng rng(3);
  const auto [uniform_mean, uniform_deviation, uniform_largest] =
      moments(init::uniform({200, 200}, 0.5, rng));
  CHECK(std::abs(uniform_mean) < 0.006);  // four deviations of the mean
  CHECK(relative_error(uniform_deviation, 0.5 / std::sqrt(3.0)) < 0.01);
  CHECK(uniform_largest <= 0.5);
  CHECK(uniform_largest > 0.499);
  const auto [normal_mean, normal_deviation, normal_largest] =
      moments(init::normal({200, 200}, 2, rng));
  CHECK(std::abs(normal_mean) < 0.04);
  CHECK(relative_error(normal_deviation, 2) < 0.015);
  CHECK(normal_largest > 7);
  CHECK(relative_error(moments(init::glorot({100, 50}, rng))[2], std::sqrt(6.0 / 150)) < 0.01);
  CHECK(init::identity(3, 0.5).to_vector() == std::vector<double>{0.5, 0, 0, 0, 0.5, 0, 0, 0, 0.5});
  CHECK(init::zeros({2}).to_vector() == std::vector<double>{0, 0});
  for (const Shape& shape : {Shape{17, 17}, Shape{9, 33}, Shape{33, 9}, Shape{1, 5}}) {
    Variable w(init::orthogonal(shape, rng, 1.5).to(DType::f64));
    const Tensor gram =
        (shape[0] <= shape[1] ? matmul(w, transpose(w)) : matmul(transpose(w), w)).value();
    CHECK(relative_difference(
              gram, init::identity(std::min(shape[0], shape[1]), 2.25).to(DType::f64)) < 1e-6);
  }
  const nn::Lstm lstm({.input = 30, .hidden = 25}, rng);
  for (const Parameter& p : lstm.parameters()) {
    const double largest = moments(p.value())[2];
    CHECK(largest <= 0.2);
    CHECK(largest > 0.19);
  }
  const nn::Linear linear({.inputs = 25, .outputs = 40}, rng);
  CHECK(relative_error(moments(linear.weight.value())[2], 0.2) < 0.02);
  CHECK(relative_error(
            moments(nn::Embedding({.symbols = 100, .width = 100}, rng).weight.value())[1], 1) <
        0.03);
}

TEST_CASE("scales that follow from fan in and fan out") {
  struct Row {
    const char* name;
    Tensor (*draw)(const Shape&, Rng&);
    double variance;  // of a (200, 100) matrix: fan in 100, fan out 200
    bool uniform;
  };
  const Row rows[] = {
      {"glorot", init::glorot, 2 / 300.0, true},
      {"glorot_normal", init::glorot_normal, 2 / 300.0, false},
      {"he_uniform", init::he_uniform, 2 / 100.0, true},
      {"he_normal", init::he_normal, 2 / 100.0, false},
      {"lecun_uniform", init::lecun_uniform, 1 / 100.0, true},
      {"lecun_normal", init::lecun_normal, 1 / 100.0, false},
  };
  Rng rng(4);
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Tensor t = row.draw({200, 100}, rng);
    CHECK(t.shape() == Shape{200, 100});
    CHECK(t.dtype() == DType::f32);
    const auto [mean, deviation, largest] = moments(t);
    const double expected = std::sqrt(row.variance);
    CHECK(std::abs(mean) < 4 * expected / std::sqrt(20000.0));
    CHECK(relative_error(deviation, expected) < 0.02);
    const double bound = std::sqrt(3.0) * expected;
    if (row.uniform) {
      CHECK(relative_error(largest, bound) < 0.001);
      CHECK(largest <= bound * (1 + 1e-7));
    } else {
      CHECK(largest > 2 * bound);
    }
    CHECK(message_of<ShapeError>([&] { row.draw({3}, rng); }) ==
          "init::" + std::string(row.name) + ": shape (3,); a matrix is needed");
  }
}

TEST_CASE("the same seed draws the same initial values") {
  const std::function<Tensor(Rng&)> draws[] = {
      [](Rng& rng) {
        return init::uniform({6, 5}, 1, rng);
      },
      [](Rng& rng) {
        return init::normal({6, 5}, 1, rng);
      },
      [](Rng& rng) {
        return init::glorot({6, 5}, rng);
      },
      [](Rng& rng) {
        return init::glorot_normal({6, 5}, rng);
      },
      [](Rng& rng) {
        return init::he_uniform({6, 5}, rng);
      },
      [](Rng& rng) {
        return init::he_normal({6, 5}, rng);
      },
      [](Rng& rng) {
        return init::lecun_uniform({6, 5}, rng);
      },
      [](Rng& rng) {
        return init::lecun_normal({6, 5}, rng);
      },
      [](Rng& rng) {
        return init::orthogonal({6, 5}, rng);
      },
      [](Rng& rng) {
        return init::sparse({6, 5}, 2, 1, rng);
      },
      [](Rng& rng) {
        const auto draw = [&](const Shape& gate) { return init::orthogonal(gate, rng); };
        return init::per_gate(2, {8, 4}, draw);
      },
      [](Rng& rng) {
        return init::with_spectral_radius(init::normal({6, 6}, 1, rng), 2);
      },
      [](Rng& rng) { return init::chrono(6, 20, rng); },
      [](Rng& rng) { return init::chrono_lstm(6, 20, rng); },
      [](Rng& rng) {
        return init::pascanu(init::Pascanu::smart_tanh, {2, 20, 2}, rng).weight_hh;
      },
  };
  for (const auto& draw : draws) {
    Rng first(12), second(12), other(13);
    const Tensor values = draw(first);
    CHECK(same_bits(values, draw(second)));
    CHECK_FALSE(same_bits(values, draw(other)));
    CHECK_FALSE(same_bits(values, draw(first)));
    CHECK(values.dtype() == DType::f32);
  }
}

}  // namespace
}  // namespace hindsight::test
