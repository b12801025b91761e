// Spectral radii: known eigenvalues, rescaled matrices, nilpotent ones.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

namespace init = nn::init;

/// Unlike doctest's Approx, which adds 1 to the magnitude.
double relative_error(double got, double wanted) { return std::abs(got / wanted - 1); }

Tensor matrix(const std::vector<double>& values) {
  const auto size = static_cast<Size>(std::lround(std::sqrt(static_cast<double>(values.size()))));
  return Tensor::from(values, {size, size}, DType::f64);
}

/// Ones above the diagonal: its power `size` is 0.
Tensor shift(Size size) {
  const Tensor t = Tensor::zeros({size, size}, DType::f64);
  for (Size i = 0; i + 1 < size; ++i) t.set(i * size + i + 1, 1);
  return t;
}

TEST_CASE("spectral radius") {
  CHECK(init::spectral_radius(matrix({-3})) == 3);
  CHECK(relative_error(init::spectral_radius(matrix({0, -2, 2, 0})), 2) < 1e-14);
  CHECK(relative_error(init::spectral_radius(matrix({1, 1, 1, 0})), (1 + std::sqrt(5.0)) / 2) <
        1e-14);
  CHECK(relative_error(init::spectral_radius(matrix({1e-6, 1, 0, -1e-6})), 1e-6) < 1e-12);
  // The companion matrix of (x - 1) (x - 2) (x - 3).
  CHECK(relative_error(init::spectral_radius(matrix({6, -11, 6, 1, 0, 0, 0, 1, 0})), 3) < 1e-12);
  Rng rng(7);
  // Girko: eigenvalues of independent values of deviation s / sqrt(n) fill a disc of radius s.
  CHECK(relative_error(init::spectral_radius(init::normal({300, 300}, 2 / std::sqrt(300.0), rng)),
                       2) < 0.08);
  const Tensor square = init::normal({20, 20}, 1, rng);
  CHECK(relative_error(init::spectral_radius(transpose(Variable(square)).value()),
                       init::spectral_radius(square)) < 1e-12);
}

TEST_CASE("matrices are rescaled to a spectral radius") {
  Rng rng(8);
  for (double radius : {0.95, 1.1, 1e-3, 20.0}) {
    for (const Tensor& t : {init::normal({60, 60}, 0.1, rng), init::sparse({100, 100}, 15, 1, rng),
                            init::uniform({1, 1}, 1, rng), init::orthogonal({30, 30}, rng)}) {
      const Tensor scaled = init::with_spectral_radius(t, radius);
      CHECK(scaled.dtype() == DType::f32);
      CHECK(relative_error(init::spectral_radius(scaled), radius) < 1e-6);
      const Tensor exact = init::with_spectral_radius(t.to(DType::f64), radius);
      CHECK(exact.dtype() == DType::f64);
      CHECK(relative_error(init::spectral_radius(exact), radius) < 1e-12);
      CHECK(relative_difference(scaled, exact) < 1e-7);
      const double factor = init::spectral_radius(t) / radius;
      const Variable restored = Variable(exact) * factor;
      CHECK(relative_difference(restored.value(), t.to(DType::f64)) < 1e-7);
    }
  }
}

TEST_CASE("nilpotent matrices have the spectral radius 0") {
  // L S L^-1 has eigenvalues of 0 and small whole elements, but is not triangular.
  const Size size = 20;
  const Tensor lower = Tensor::zeros({size, size}, DType::f64);
  const Tensor inverse = init::identity(size).to(DType::f64).contiguous_copy();
  for (Size i = 0; i < size; ++i) {
    for (Size j = 0; j <= i; ++j) lower.set(i * size + j, 1);
    if (i > 0) inverse.set(i * size + i - 1, -1);
  }
  const Tensor hidden =
      matmul(matmul(Variable(lower), Variable(shift(size))), Variable(inverse)).value();
  for (const Tensor& t : {matrix({0}), matrix({1, -1, 1, -1}), matrix({3, -9, 1, -3}), shift(50),
                          transpose(Variable(shift(7))).value(), hidden, Tensor::zeros({4, 4})}) {
    CHECK(init::spectral_radius(t) == 0);
    CHECK(
        message_of<OptionError>([&] { init::with_spectral_radius(t, 0.9); }) ==
        "init::with_spectral_radius: the matrix is nilpotent: its spectral radius is 0 and cannot "
        "be rescaled to 0.9");
  }
}

TEST_CASE("wrong arguments of spectral radii") {
  CHECK(message_of<ShapeError>([] {
          init::spectral_radius(init::zeros({2, 3}));
        }) == "init::spectral_radius: shape (2, 3); a square matrix is needed");
  CHECK(message_of<ShapeError>([] {
          init::spectral_radius(init::zeros({0, 0}));
        }) == "init::spectral_radius: shape (0, 0); a square matrix is needed");
  CHECK(message_of<NonFiniteError>([] {
          init::spectral_radius(init::constant({2, 2}, NAN));
        }) == "init::spectral_radius: the matrix has elements that are not finite");
  CHECK(message_of<OptionError>([] { init::with_spectral_radius(init::identity(2), 0); }) ==
        "init::with_spectral_radius: radius 0; it must be positive and finite");
  CHECK(message_of<OptionError>([] { init::with_spectral_radius(init::identity(2), INFINITY); }) ==
        "init::with_spectral_radius: radius inf; it must be positive and finite");
}

}  // namespace
}  // namespace hindsight::test
