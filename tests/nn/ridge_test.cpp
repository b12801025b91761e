// Ridge regression: normal equations as plain loops, known weights, penalties, degenerate rows.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

using nn::Linear;
using nn::ridge;
using nn::RidgeOptions;

using Matrix = std::vector<std::vector<double>>;

Matrix rows_of(const Tensor& t) {
  const Size width = t.shape().back();
  Matrix rows(static_cast<std::size_t>(t.elements() / width));
  for (Size i = 0; i < t.elements(); ++i)
    rows[static_cast<std::size_t>(i / width)].push_back(t.at(i));
  return rows;
}

/// Solves a x = b by elimination with pivots.
std::vector<double> solve(Matrix a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    std::size_t pivot = i;
    for (std::size_t r = i; r < n; ++r)
      if (std::abs(a[r][i]) > std::abs(a[pivot][i])) pivot = r;
    std::swap(a[i], a[pivot]);
    std::swap(b[i], b[pivot]);
    for (std::size_t r = i + 1; r < n; ++r) {
      const double factor = a[r][i] / a[i][i];
      for (std::size_t c = i; c < n; ++c) a[r][c] -= factor * a[i][c];
      b[r] -= factor * b[i];
    }
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t c = i + 1; c < n; ++c) b[i] -= a[i][c] * b[c];
    b[i] /= a[i][i];
  }
  return b;
}

/// The weights of target `o`, then its bias: (X^T X + penalty) w = X^T y with ones as X's last
/// column.
std::vector<double> plain_ridge(const Tensor& states, const Tensor& targets, std::size_t o,
                                const RidgeOptions& options) {
  Matrix x = rows_of(states);
  const Matrix y = rows_of(targets);
  if (options.bias)
    for (auto& row : x) row.push_back(1);
  const std::size_t n = x[0].size();
  Matrix gram(n, std::vector<double>(n));
  std::vector<double> moments(n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t row = 0; row < x.size(); ++row) {
      for (std::size_t j = 0; j < n; ++j) gram[i][j] += x[row][i] * x[row][j];
      moments[i] += x[row][i] * y[row][o];
    }
    if (i + 1 < n || !options.bias || options.penalize_bias) gram[i][i] += options.penalty;
  }
  return solve(gram, moments);
}

double weight_norm(const Linear& readout) {
  double square = 0;
  for (double w : readout.weight.value().to_vector()) square += w * w;
  return std::sqrt(square);
}

TEST_CASE("ridge regression equals the normal equations") {
  // Means and scales differ from column to column.
  const Variable spread(random_tensor({4}, 3, DType::f64, 0.2, 3)), shift(random_tensor({4}, 4));
  const Variable x(Variable(random_tensor({30, 4}, 1)) * spread + shift);
  const Tensor states = x.value(), targets = random_tensor({30, 3}, 2);
  for (const double penalty : {0.0, 1e-6, 0.3, 50.0}) {
    for (const RidgeOptions& options :
         {RidgeOptions{penalty, true, false}, RidgeOptions{penalty, true, true},
          RidgeOptions{penalty, false, false}}) {
      const Linear readout = ridge(states, targets, options);
      CHECK(readout.dtype() == DType::f64);
      CHECK(readout.weight.shape() == Shape{3, 4});
      CHECK(static_cast<bool>(readout.bias) == options.bias);
      for (Size o = 0; o < 3; ++o) {
        const auto wanted = plain_ridge(states, targets, static_cast<std::size_t>(o), options);
        for (Size j = 0; j < 4; ++j) {
          CHECK(std::abs(readout.weight.value().at(o * 4 + j) -
                         wanted[static_cast<std::size_t>(j)]) < 1e-12);
        }
        if (options.bias) CHECK(std::abs(readout.bias.value().at(o) - wanted[4]) < 1e-12);
      }
    }
  }
}

TEST_CASE("ridge regression recovers the weights that made the targets") {
  Rng rng(6);
  Linear teacher({.inputs = 20, .outputs = 3}, rng);
  teacher.to(DType::f64);
  const Variable states(random_tensor({25, 4, 20}, 7));
  const Tensor targets = teacher(states).value();
  for (const double penalty : {0.0, 1e-12}) {
    const Linear readout = ridge(states.value(), targets, {.penalty = penalty});
    CHECK(relative_difference(readout.weight.value(), teacher.weight.value()) < 1e-12);
    CHECK(relative_difference(readout.bias.value(), teacher.bias.value()) < 1e-12);
    CHECK(relative_difference(readout(states).value(), targets) < 1e-12);
  }
}

TEST_CASE("a penalty shrinks the weights and, unless asked to, not the bias") {
  const Tensor states = random_tensor({40, 6}, 1),
               targets = Variable(Variable(random_tensor({40, 2}, 2)) + 5).value();
  double before = weight_norm(ridge(states, targets, {.penalty = 0}));
  for (const double penalty : {0.1, 1.0, 10.0, 100.0, 1e4}) {
    const double norm = weight_norm(ridge(states, targets, {.penalty = penalty}));
    CHECK(norm < before);
    before = norm;
  }
  const Linear flat = ridge(states, targets, {.penalty = 1e12});
  CHECK(weight_norm(flat) < 1e-9);
  CHECK(relative_difference(flat.bias.value(), mean(Variable(targets), {0}).value()) < 1e-9);
  const Linear zero = ridge(states, targets, {.penalty = 1e12, .penalize_bias = true});
  CHECK(std::abs(zero.bias.value().at(0)) < 1e-9);
}

TEST_CASE("ridge regression takes either dtype and strided tensors") {
  const Variable wide(random_tensor({9, 5, 8}, 1)), targets(random_tensor({9, 5, 2}, 2));
  const Variable part = slice(slice(wide, 0, 2, 7), 2, 1, 6);
  const Tensor y = slice(targets, 0, 2, 7).value();
  const Linear expected = ridge(part.value().contiguous_copy(), y);
  const Linear strided = ridge(part.value(), y);
  CHECK(same_bits(strided.weight.value(), expected.weight.value()));
  const Linear narrow = ridge(part.value().to(DType::f32), y);
  CHECK(narrow.dtype() == DType::f32);
  CHECK(same_bits(narrow.weight.value(), expected.weight.value().to(DType::f32)));
  CHECK(same_bits(narrow.bias.value(), expected.bias.value().to(DType::f32)));
}

TEST_CASE("of equal solutions ridge regression takes the one with the smallest weights") {
  // Columns 0 and 1 are the same, 2 is constant: only their sum, and nothing, is determined.
  const Tensor states = Tensor::zeros({12, 3}, DType::f64),
               targets = Tensor::zeros({12, 1}, DType::f64);
  Rng rng(1);
  for (Size i = 0; i < 12; ++i) {
    const double x = rng.normal();
    states.set(i * 3, x);
    states.set(i * 3 + 1, x);
    states.set(i * 3 + 2, 4);
    targets.set(i, 3 * x + 2);
  }
  // 1e-17 is below the rounding of X^T X, so that a Cholesky decomposition cannot see it.
  for (const double penalty : {0.0, 1e-17, 1e-6}) {
    const Linear readout = ridge(states, targets, {.penalty = penalty});
    const Tensor w = readout.weight.value();
    CHECK(std::abs(w.at(0) - 1.5) < 1e-6);
    CHECK(std::abs(w.at(1) - 1.5) < 1e-6);
    CHECK(std::abs(w.at(2)) < 1e-6);
    CHECK(std::abs(readout.bias.value().at(0) - 2) < 1e-6);
  }
  // With a penalty, fewer rows than weights are enough; without one, as many as weights.
  const Tensor few = random_tensor({3, 5}, 1), one = random_tensor({1, 5}, 1);
  CHECK(ridge(few, random_tensor({3, 1}, 2), {.penalty = 1e-3}).weight.shape() == Shape{1, 5});
  CHECK(ridge(one, random_tensor({1, 1}, 2)).weight.shape() == Shape{1, 5});
  const Linear exact = ridge(random_tensor({3, 2}, 1), random_tensor({3, 1}, 2), {.penalty = 0});
  CHECK(relative_difference(exact(Variable(random_tensor({3, 2}, 1))).value(),
                            random_tensor({3, 1}, 2)) < 1e-12);
}

TEST_CASE("wrong arguments of ridge regression") {
  const Tensor states = random_tensor({5, 4}, 1), targets = random_tensor({5, 2}, 2);
  const char* shapes =
      "; (N, H) and (N, O), or (T, B, H) and (T, B, O), are needed, none of them empty";
  const auto wrong = [&](const Shape& x, const Shape& y) {
    return message_of<ShapeError>([&] { ridge(Tensor::zeros(x), Tensor::zeros(y)); });
  };
  CHECK(wrong({5, 4}, {6, 2}) ==
        std::string("ridge: states are (5, 4) and targets (6, 2)") + shapes);
  CHECK(wrong({5, 3, 4}, {15, 2}) ==
        std::string("ridge: states are (5, 3, 4) and targets (15, 2)") + shapes);
  CHECK(wrong({5}, {5}) == std::string("ridge: states are (5,) and targets (5,)") + shapes);
  CHECK(wrong({0, 4}, {0, 2}) ==
        std::string("ridge: states are (0, 4) and targets (0, 2)") + shapes);
  CHECK(message_of<Error>([&] { ridge(states, {}); }) == "ridge: targets are an empty Tensor");
  CHECK(message_of<Error>([&] { ridge({}, targets); }) == "ridge: states are an empty Tensor");
  CHECK(message_of<OptionError>([&] { ridge(states, targets, {.penalty = -1}); }) ==
        "ridge: penalty -1; it must be at least 0 and finite");
  CHECK(message_of<OptionError>([&] { ridge(states, targets, {.penalty = NAN}); }) ==
        "ridge: penalty nan; it must be at least 0 and finite");
  CHECK(message_of<ShapeError>([&] {
          ridge(random_tensor({5, 5}, 1), targets, {.penalty = 0});
        }) ==
        "ridge: 5 rows for 6 weights of each target; without a penalty, at least as many rows are "
        "needed");
  const Tensor broken = targets.contiguous_copy(), large = Tensor::zeros({4, 1});
  broken.set(3, NAN);
  CHECK(message_of<NonFiniteError>([&] { ridge(states, broken); }) ==
        "ridge: targets have elements that are not finite");
  CHECK(message_of<NonFiniteError>([&] { ridge(broken, targets); }) ==
        "ridge: states have elements that are not finite");
  large.set(0, 1e-30);
  CHECK(message_of<NonFiniteError>([&] {
          ridge(large, Tensor::from({1e30, 0, 0, 0}, {4, 1}), {.penalty = 0});
        }) == "ridge: a weight is beyond the range of float32");
}

}  // namespace
}  // namespace hindsight::test
