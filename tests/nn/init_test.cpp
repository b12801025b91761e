// Initial values: ranges, moments, orthogonality.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

TEST_CASE("initial values") {
  Rng rng(3);
  const auto moments = [](const Tensor& t) {
    double mean = 0, square_mean = 0, largest = 0;
    for (double x : t.to_vector()) {
      mean += x;
      square_mean += x * x;
      largest = std::max(largest, std::abs(x));
    }
    const auto n = static_cast<double>(t.elements());
    return std::array<double, 3>{mean / n, std::sqrt(square_mean / n), largest};
  };
  const auto [uniform_mean, uniform_deviation, uniform_largest] =
      moments(nn::init::uniform({200, 200}, 0.5, rng));
  CHECK(std::abs(uniform_mean) < 0.006);  // four deviations of the mean
  CHECK(uniform_deviation == doctest::Approx(0.5 / std::sqrt(3.0)).epsilon(0.01));
  CHECK(uniform_largest <= 0.5);
  CHECK(uniform_largest > 0.499);
  const auto [normal_mean, normal_deviation, normal_largest] =
      moments(nn::init::normal({200, 200}, 2, rng));
  CHECK(std::abs(normal_mean) < 0.04);
  CHECK(normal_deviation == doctest::Approx(2).epsilon(0.015));
  CHECK(normal_largest > 7);
  CHECK(moments(nn::init::glorot({100, 50}, rng))[2] ==
        doctest::Approx(std::sqrt(6.0 / 150)).epsilon(0.01));
  CHECK(nn::init::identity(3, 0.5).to_vector() ==
        std::vector<double>{0.5, 0, 0, 0, 0.5, 0, 0, 0, 0.5});
  CHECK(nn::init::zeros({2}).to_vector() == std::vector<double>{0, 0});
  for (const Shape& shape : {Shape{17, 17}, Shape{9, 33}, Shape{33, 9}, Shape{1, 5}}) {
    Variable w(nn::init::orthogonal(shape, rng, 1.5).to(DType::f64));
    const Tensor gram =
        (shape[0] <= shape[1] ? matmul(w, transpose(w)) : matmul(transpose(w), w)).value();
    CHECK(relative_difference(
              gram, nn::init::identity(std::min(shape[0], shape[1]), 2.25).to(DType::f64)) < 1e-6);
  }
  const nn::Lstm lstm({.input = 30, .hidden = 25}, rng);
  for (const Parameter& p : lstm.parameters()) {
    const double largest = moments(p.value())[2];
    CHECK(largest <= 0.2);
    CHECK(largest > 0.19);
  }
  const nn::Linear linear({.inputs = 25, .outputs = 40}, rng);
  CHECK(moments(linear.weight.value())[2] == doctest::Approx(0.2).epsilon(0.02));
  CHECK(moments(nn::Embedding({.symbols = 100, .width = 100}, rng).weight.value())[1] ==
        doctest::Approx(1).epsilon(0.03));
}

}  // namespace
}  // namespace hindsight::test
