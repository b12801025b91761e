// In a file of its own, because xtensor-blas takes long to compile.
#include <hindsight/autograd/tensor/blas.h>
#include <hindsight/nn/init.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <xtensor-blas/xblas.hpp>  // defines a macro that the next header uses
#include <xtensor-blas/xlapack.hpp>

namespace hindsight::nn::init {
namespace {

double largest_modulus(const std::vector<double>& values) {
  double largest = 0;
  for (double x : values) largest = std::max(largest, std::abs(x));
  return largest;
}

/// Whether a power A^(2^k) of at least the size is 0, up to the rounding of the last squaring. The
/// computed eigenvalues of such matrices are not small: for size n, about the n-th root of 1e-16.
bool nilpotent(std::vector<double> a, Size size) {
  const double zero = static_cast<double>(size) * std::numeric_limits<double>::epsilon();
  double largest = largest_modulus(a);
  if (largest == 0) return true;
  std::vector<double> square(a.size());
  for (Size power = 1; power < size; power *= 2) {
    const int exponent = std::ilogb(largest);
    for (double& x : a) x = std::scalbn(x, -exponent);  // exact, unlike a division
    blas::multiply({a.data(), size, size, size}, {a.data(), size, size, size}, 0,
                   {square.data(), size, size, size});
    std::swap(a, square);
    largest = largest_modulus(a);
    if (largest <= zero) return true;
  }
  return false;
}

/// By LAPACK's geev, because xt::linalg::eigvals does not compile with xtensor 0.27 and SIMD. The
/// matrix is read as its transpose, which has the same eigenvalues.
double largest_eigenvalue(const std::vector<double>& a, std::size_t size) {
  using Matrix = xt::xtensor<double, 2, xt::layout_type::column_major>;
  Matrix matrix(Matrix::shape_type{size, size}), no_vectors(Matrix::shape_type{1, 1});
  std::copy(a.begin(), a.end(), matrix.data());
  std::vector<double> real(size), imaginary(size);
  if (xt::lapack::geev(matrix, 'N', 'N', real, imaginary, no_vectors, no_vectors) != 0) {
    fail("init::spectral_radius: the eigenvalues of the matrix did not converge");
  }
  double largest = 0;
  for (std::size_t i = 0; i < size; ++i) {
    largest = std::max(largest, std::hypot(real[i], imaginary[i]));
  }
  return largest;
}

}  // namespace

double spectral_radius(const Tensor& matrix) {
  const Shape& shape = matrix.shape();
  if (shape.rank() != 2 || shape[0] != shape[1] || shape[0] == 0) {
    fail<ShapeError>("init::spectral_radius: shape {}; a square matrix is needed", shape);
  }
  if (!all_finite(matrix)) {
    fail<NonFiniteError>("init::spectral_radius: the matrix has elements that are not finite");
  }
  const std::vector<double> elements = matrix.to_vector();
  // This comes first: its products choose OpenBLAS's kernels and threads for the eigenvalues too.
  if (nilpotent(elements, shape[0])) return 0;
  return largest_eigenvalue(elements, static_cast<std::size_t>(shape[0]));
}

Tensor with_spectral_radius(const Tensor& matrix, double radius) {
  if (!(radius > 0 && std::isfinite(radius))) {
    fail<OptionError>("init::with_spectral_radius: radius {}; it must be positive and finite",
                      radius);
  }
  const double present = spectral_radius(matrix);
  if (present == 0) {
    fail<OptionError>(
        "init::with_spectral_radius: the matrix is nilpotent: its spectral radius is 0 and cannot "
        "be rescaled to {}",
        radius);
  }
  const Tensor result(matrix.shape(), matrix.dtype());
  for (Size i = 0; i < result.elements(); ++i) result.set(i, matrix.at(i) * (radius / present));
  return result;
}

}  // namespace hindsight::nn::init
