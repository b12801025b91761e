// The only file that uses xt::linalg, which takes long to compile.
#include <hindsight/autograd/tensor/blas.h>
#include <hindsight/nn/ridge.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <vector>
#include <xtensor-blas/xlinalg.hpp>

namespace hindsight::nn {
namespace {

/// As LAPACK wants it: the memory of a row-major matrix is that of its transpose.
using Matrix = xt::xtensor<double, 2, xt::layout_type::column_major>;
using Column = xt::xtensor<double, 1, xt::layout_type::column_major>;

/// Of each target: (O, H), row-major.
using Weights = std::vector<double>;

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();

std::size_t position(Size i) { return static_cast<std::size_t>(i); }

/// The rows of a tensor in double, row-major.
struct Rows {
  std::vector<double> values;
  Size count, width;

  explicit Rows(const Tensor& t)
      : values(t.to_vector()), count(t.elements() / t.shape().back()), width(t.shape().back()) {}

  double& at(Size row, Size column) { return values[position(row * width + column)]; }

  /// Subtracts the mean of each column, and returns the means.
  std::vector<double> center() {
    std::vector<double> means(position(width));
    for (Size row = 0; row < count; ++row)
      for (Size j = 0; j < width; ++j) means[position(j)] += at(row, j);
    for (double& mean : means) mean /= static_cast<double>(count);
    for (Size row = 0; row < count; ++row)
      for (Size j = 0; j < width; ++j) at(row, j) -= means[position(j)];
    return means;
  }

  void append_ones() {
    std::vector<double> wider;
    wider.reserve(position(count * (width + 1)));
    for (auto row = values.begin(); row != values.end(); row += width) {
      wider.insert(wider.end(), row, row + width);
      wider.push_back(1);
    }
    values = std::move(wider);
    ++width;
  }

  void append_rows(Size rows, double diagonal) {
    values.resize(position((count + rows) * width));
    for (Size i = 0; diagonal != 0 && i < rows; ++i) at(count + i, i) = diagonal;
    count += rows;
  }

  /// As an operand of a product.
  blas::MatrixOf<const double> matrix(bool transposed) const {
    if (transposed) return {values.data(), width, count, width, true};
    return {values.data(), count, width, width};
  }
  Matrix columns() const {
    Matrix result(Matrix::shape_type{position(count), position(width)});
    for (Size row = 0; row < count; ++row)
      for (Size j = 0; j < width; ++j)
        result(position(row), position(j)) = values[position(row * width + j)];
    return result;
  }
};

/// The lower triangle L of a positive definite matrix L L^T. Nothing if it is singular up to
/// rounding.
std::optional<Matrix> cholesky(const Matrix& matrix) {
  Matrix lower;
  try {
    lower = xt::linalg::cholesky(matrix);
  } catch (const std::runtime_error&) {
    return {};
  }
  double least = INFINITY, most = 0;
  for (std::size_t i = 0; i < lower.shape(0); ++i) {
    least = std::min(least, lower(i, i));
    most = std::max(most, lower(i, i));
  }
  const double rounding = static_cast<double>(lower.shape(0)) * kEpsilon * most * most;
  if (!(least * least > rounding)) return {};
  return lower;
}

/// Solves (X^T X + beta I) W^T = X^T Y. Nothing if the matrix is singular up to rounding.
std::optional<Weights> by_cholesky(const Rows& x, const Rows& y, double penalty) {
  const std::size_t width = position(x.width);
  Matrix gram(Matrix::shape_type{width, width});
  blas::multiply(x.matrix(true), x.matrix(false), 0, {gram.data(), x.width, x.width, x.width});
  for (std::size_t i = 0; i < width; ++i) gram(i, i) += penalty;
  const std::optional<Matrix> lower = cholesky(gram);
  if (!lower) return {};
  Weights weights(position(y.width) * width);
  blas::multiply(y.matrix(true), x.matrix(false), 0, {weights.data(), y.width, x.width, x.width});
  for (auto of_target = weights.begin(); of_target != weights.end(); of_target += x.width) {
    Column moments(Column::shape_type{width});  // solve_cholesky takes one column at a time
    std::copy(of_target, of_target + x.width, moments.begin());
    const Column solution = xt::linalg::solve_cholesky(*lower, moments);
    std::copy(solution.begin(), solution.end(), of_target);
  }
  return weights;
}

/// The least squares, where sqrt(beta) I as further rows stands for the penalty: the squares of x
/// are not formed, so that singular values are found down to the rounding of x itself.
Weights by_singular_values(Rows x, Rows y, double penalty) {
  if (penalty > 0) {
    x.append_rows(x.width, std::sqrt(penalty));
    y.append_rows(x.width, 0);
  }
  // NumPy's bound, relative to the largest, below which a singular value counts as 0.
  const double zero = static_cast<double>(std::max(x.count, x.width)) * kEpsilon;
  const Matrix solution = std::get<0>(xt::linalg::lstsq(x.columns(), y.columns(), zero));
  return {solution.data(), solution.data() + solution.size()};
}

void check(const Tensor& states, const Tensor& targets, const RidgeOptions& options) {
  if (!states || !targets) fail("ridge: {} are an empty Tensor", states ? "targets" : "states");
  const Shape &x = states.shape(), &y = targets.shape();
  Shape leading = x;
  if (x.rank() == y.rank() && x.rank() >= 2) leading.set(x.rank() - 1, y.back());
  if (x.rank() < 2 || leading != y || x.elements() == 0 || y.elements() == 0) {
    fail<ShapeError>(
        "ridge: states are {} and targets {}; (N, H) and (N, O), or (T, B, H) and (T, B, O), are "
        "needed, none of them empty",
        x, y);
  }
  if (!(options.penalty >= 0 && std::isfinite(options.penalty)))
    fail<OptionError>("ridge: penalty {}; it must be at least 0 and finite", options.penalty);
  if (!all_finite(states)) fail<NonFiniteError>("ridge: states have elements that are not finite");
  if (!all_finite(targets))
    fail<NonFiniteError>("ridge: targets have elements that are not finite");
  const Size rows = x.elements() / x.back(), weights = x.back() + (options.bias ? 1 : 0);
  if (options.penalty == 0 && rows < weights) {
    fail<ShapeError>(
        "ridge: {} rows for {} weights of each target; without a penalty, at least as "
        "many rows are needed",
        rows, weights);
  }
}

Linear as_linear(const Weights& weight, const std::vector<double>& bias, Size inputs, bool has_bias,
                 DType dtype) {
  const auto outputs = static_cast<Size>(bias.size());
  Rng rng(0);  // of values that are overwritten
  Linear result({.inputs = inputs, .outputs = outputs, .bias = has_bias}, rng);
  result.to(dtype);
  result.weight.assign(Tensor::from(weight, {outputs, inputs}, DType::f64));
  if (has_bias) result.bias.assign(Tensor::from(bias, {outputs}, DType::f64));
  for (const Parameter& parameter : result.parameters()) {
    if (!all_finite(parameter.value()))
      fail<NonFiniteError>("ridge: a weight is beyond the range of {}", name(dtype));
  }
  return result;
}

}  // namespace

Linear ridge(const Tensor& states, const Tensor& targets, const RidgeOptions& options) {
  check(states, targets, options);
  Rows x(states), y(targets);
  const Size inputs = x.width;
  const bool with_ones = options.bias && options.penalize_bias;
  std::vector<double> mean_state(position(inputs)), bias(position(y.width));
  if (with_ones) x.append_ones();
  if (options.bias && !with_ones) {  // the best bias maps the mean state to the mean target
    mean_state = x.center();
    bias = y.center();
  }
  std::optional<Weights> solution;
  if (options.penalty > 0) solution = by_cholesky(x, y, options.penalty);
  if (!solution) solution = by_singular_values(x, y, options.penalty);
  Weights weight;
  auto next = solution->begin();
  for (double& of_target : bias) {
    for (const double mean : mean_state) {
      of_target -= *next * mean;
      weight.push_back(*next++);
    }
    if (with_ones) of_target = *next++;
  }
  return as_linear(weight, bias, inputs, options.bias, states.dtype());
}

}  // namespace hindsight::nn
