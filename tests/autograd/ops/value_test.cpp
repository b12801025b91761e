// Values of every operation against plain loops over scalars, in both types, at sizes around the
// width of a vector register, and for NaN, infinity and no elements.
#include <limits>

#include "support.h"

namespace hindsight::test {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

const std::vector<Size> kSizes{1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 50, 513, 1030};

double tolerance(DType dtype) { return dtype == DType::f32 ? 2e-6 : 1e-14; }

struct Unary {
  const char* name;
  std::function<Variable(const Variable&)> function;
  double (*scalar)(double);
  double low = -3, high = 3;
};

TEST_CASE("functions of one value") {
  const std::vector<Unary> rows{
      {"neg", [](auto& x) { return -x; }, [](double x) { return -x; }},
      {"exp", [](auto& x) { return exp(x); }, [](double x) { return std::exp(x); }, -20, 20},
      {"log", [](auto& x) { return log(x); }, [](double x) { return std::log(x); }, 1e-6, 100},
      {"tanh", [](auto& x) { return tanh(x); }, [](double x) { return std::tanh(x); }, -12, 12},
      {"sigmoid", [](auto& x) { return sigmoid(x); },
       [](double x) { return 1 / (1 + std::exp(-x)); }, -30, 30},
      {"relu", [](auto& x) { return relu(x); }, [](double x) { return x > 0 ? x : 0; }},
      {"sqrt", [](auto& x) { return sqrt(x); }, [](double x) { return std::sqrt(x); }, 0, 100},
      {"square", [](auto& x) { return square(x); }, [](double x) { return x * x; }},
      {"abs", [](auto& x) { return abs(x); }, [](double x) { return std::abs(x); }},
      {"sign", [](auto& x) { return sign(x); }, [](double x) { return double((x > 0) - (x < 0)); }},
      {"positive", [](auto& x) { return positive(x); }, [](double x) { return double(x > 0); }},
      {"heaviside", [](auto& x) { return heaviside(x); },
       [](double x) { return x > 0   ? 1
                             : x < 0 ? 0
                                     : 0.5; }},
      {"pow 2.5", [](auto& x) { return pow(x, 2.5); }, [](double x) { return std::pow(x, 2.5); },
       0.01, 20},
      {"pow 3", [](auto& x) { return pow(x, 3); }, [](double x) { return x * x * x; }},
      {"1.7 pow", [](auto& x) { return pow(1.7, x); }, [](double x) { return std::pow(1.7, x); }},
      {"scalars", [](auto& x) { return (2 - x) / 3 + 4 * x - 1 / (x * x + 1.5); },
       [](double x) { return (2 - x) / 3 + 4 * x - 1 / (x * x + 1.5); }},
  };
  for (const Unary& row : rows) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (const Size n : kSizes) {
        const Tensor x =
            random_tensor({n}, static_cast<std::uint64_t>(n), dtype, row.low, row.high);
        if (n > 2) x.set(1, std::max(0.0, row.low));
        const Tensor y = row.function(Variable(x)).value();
        double worst = 0;
        for (Size i = 0; i < n; ++i) {
          const double wanted = row.scalar(x.at(i));
          worst = std::max(worst, std::abs(y.at(i) - wanted) / std::max(0.1, std::abs(wanted)));
        }
        INFO(std::string(row.name), " ", std::string(name(dtype)), " ", n);
        CHECK(worst <= tolerance(dtype));
      }
    }
  }
}

TEST_CASE("functions of two values, broadcast") {
  struct Binary {
    const char* name;
    std::function<Variable(const Variable&, const Variable&)> function;
    double (*scalar)(double, double);
  };
  const std::vector<Binary> rows{
      {"add", [](auto& a, auto& b) { return a + b; }, [](double a, double b) { return a + b; }},
      {"sub", [](auto& a, auto& b) { return a - b; }, [](double a, double b) { return a - b; }},
      {"mul", [](auto& a, auto& b) { return a * b; }, [](double a, double b) { return a * b; }},
      {"div", [](auto& a, auto& b) { return a / b; }, [](double a, double b) { return a / b; }},
      {"pow", [](auto& a, auto& b) { return pow(a, b); },
       [](double a, double b) { return std::pow(a, b); }},
      {"maximum", [](auto& a, auto& b) { return maximum(a, b); },
       [](double a, double b) { return std::max(a, b); }},
      {"minimum", [](auto& a, auto& b) { return minimum(a, b); },
       [](double a, double b) { return std::min(a, b); }},
  };
  const Size rows_count = 3;
  for (const Binary& row : rows) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      for (const Size n : {1, 8, 17, 33, 530}) {
        const Tensor a = random_tensor({rows_count, n}, 1, dtype, 0.2, 3),
                     b = random_tensor({rows_count, n}, 2, dtype, 0.2, 3);
        const auto element = [](const Tensor& t, Size i, Size j) {
          return t.at(t.rank() == 2 ? i % t.size(0) * t.size(1) + j % t.size(1) : j);
        };
        // Each operand whole, as a row, as a column, as a stepped view and transposed.
        const auto views = [&](const Tensor& t) {
          Layout stepped(Shape{rows_count, 2 * n});
          const Tensor wide(stepped.shape, dtype);
          copy(t, wide.view(stepped.slice(1, 1, n, 2)));
          const Tensor flipped(Shape{n, rows_count}, dtype);
          const Tensor back = flipped.view(flipped.layout().permute({1, 0}));
          copy(t, back);
          return std::vector<Tensor>{t, t.view(t.layout().select(0, 1)),
                                     t.view(t.layout().slice(1, 0, 1)),
                                     wide.view(stepped.slice(1, 1, n, 2)), back};
        };
        for (const Tensor& x : views(a)) {
          for (const Tensor& z : views(b)) {
            const Tensor y = row.function(Variable(x), Variable(z)).value();
            double worst = 0;
            for (Size i = 0; i < y.elements(); ++i) {
              const Size r = i / y.shape().back(), c = i % y.shape().back();
              const double wanted = row.scalar(element(x, r, c), element(z, r, c));
              worst = std::max(worst, std::abs(y.at(i) - wanted) / std::max(1.0, std::abs(wanted)));
            }
            INFO(std::string(row.name), " ", std::string(name(dtype)), " ", x.shape().to_string(),
                 " ", z.shape().to_string());
            CHECK(worst <= tolerance(dtype));
          }
        }
      }
    }
  }
}

TEST_CASE("products") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const auto& [m, k, n] : std::vector<std::array<Size, 3>>{{1, 1, 1},
                                                                  {1, 7, 33},
                                                                  {5, 17, 1},
                                                                  {5, 1, 9},
                                                                  {17, 33, 50},
                                                                  {65, 70, 66},
                                                                  {0, 3, 4},
                                                                  {3, 0, 4},
                                                                  {3, 4, 0}}) {
      for (int transposes = 0; transposes < 4; ++transposes) {
        const bool ta = transposes & 1, tb = transposes & 2;
        const Tensor a = random_tensor(ta ? Shape{k, m} : Shape{m, k}, 3, dtype),
                     b = random_tensor(tb ? Shape{n, k} : Shape{k, n}, 4, dtype);
        const Variable x = ta ? transpose(Variable(a)) : Variable(a),
                       z = tb ? transpose(Variable(b)) : Variable(b);
        const Tensor y = matmul(x, z).value();
        REQUIRE(y.shape() == Shape{m, n});
        double worst = 0;
        for (Size i = 0; i < m; ++i) {
          for (Size j = 0; j < n; ++j) {
            double wanted = 0;
            for (Size l = 0; l < k; ++l)
              wanted += a.at(ta ? l * m + i : i * k + l) * b.at(tb ? j * k + l : l * n + j);
            worst = std::max(worst, std::abs(y.at(i * n + j) - wanted));
          }
        }
        const std::string title =
            fmt::format("{} {} {} {} transposes {}", name(dtype), m, k, n, transposes);
        INFO(title);
        CHECK(worst <= (dtype == DType::f32 ? 2e-5 : 1e-13));
      }
    }
  }
  // Stacks are the products of their matrices.
  const Variable a(random_tensor({2, 1, 3, 4}, 5)), b(random_tensor({5, 4, 6}, 6)),
      y = matmul(a, b);
  REQUIRE(y.shape() == Shape{2, 5, 3, 6});
  for (Size i = 0; i < 2; ++i) {
    for (Size j = 0; j < 5; ++j)
      CHECK(relative_difference(y[i][j].value(), matmul(a[i][0], b[j]).value()) < 1e-15);
  }
  // A vector is a row on the left and a column on the right.
  const Variable m(Tensor::from({1, 2, 3, 4}, {2, 2}, DType::f64)),
      v(Tensor::from({5, 6}, {2}, DType::f64));
  CHECK(matmul(v, m).value().to_vector() == std::vector<double>{23, 34});
  CHECK(matmul(m, v).value().to_vector() == std::vector<double>{17, 39});
  CHECK(matmul(v, v).item() == 61);
  CHECK(matmul(v, v).shape() == Shape{});
}

TEST_CASE("reductions") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Tensor x = random_tensor({3, 5, 17}, 7, dtype);
    const Variable v(x);
    const double exact = dtype == DType::f32 ? 1e-6 : 1e-14;
    double all = 0;
    std::vector<double> rows(15), columns(17);
    for (Size i = 0; i < x.elements(); ++i) {
      all += x.at(i);
      rows[static_cast<std::size_t>(i / 17)] += x.at(i);
      columns[static_cast<std::size_t>(i % 17)] += x.at(i);
    }
    CHECK(sum(v).shape() == Shape{});
    CHECK(sum(v).item() == doctest::Approx(all).epsilon(exact));
    CHECK(mean(v).item() == doctest::Approx(all / 255).epsilon(exact));
    CHECK(relative_difference(sum(v, {-1}).value(), Tensor::from(rows, {3, 5}, dtype)) < exact);
    CHECK(relative_difference(sum(v, {1, 0}, KeepDims::yes).value(),
                              Tensor::from(columns, {1, 1, 17}, dtype)) < exact);
    CHECK(relative_difference(sum(permute(v, {2, 0, 1}), {1, 2}).value(),
                              Tensor::from(columns, {17}, dtype)) < exact);
    CHECK(relative_difference(sum_to(v, {1, 17}).value(), Tensor::from(columns, {1, 17}, dtype)) <
          exact);
    const Variable means = mean(v, {2}, KeepDims::yes) * 17;
    CHECK(relative_difference(means.value(), Tensor::from(rows, {3, 5, 1}, dtype)) < exact);
  }
  // Sums run in double: a million small numbers do not drift.
  CHECK(sum(Variable(Tensor::full({1000003}, 0.1f))).item() ==
        doctest::Approx(100000.3 * (0.1f / 0.1)).epsilon(1e-7));
}

TEST_CASE("softmax family") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const Size n : {1, 5, 16, 17, 50}) {
      const Tensor x = random_tensor({4, n}, 8, dtype, -5, 5);
      const Tensor y = log_softmax(Variable(x)).value(),
                   z = log_softmax(transpose(Variable(x)), 0).value();
      const Indices targets(std::vector<Size>{0, n - 1, n / 2, 0});
      const Tensor losses =
          cross_entropy(Variable(x), targets, {.reduction = Reduction::none}).value();
      double worst = 0, total = 0;
      for (Size i = 0; i < 4; ++i) {
        double normalizer = 0;
        for (Size j = 0; j < n; ++j) normalizer += std::exp(x.at(i * n + j));
        for (Size j = 0; j < n; ++j) {
          const double wanted = x.at(i * n + j) - std::log(normalizer);
          worst = std::max(
              {worst, std::abs(y.at(i * n + j) - wanted), std::abs(z.at(j * 4 + i) - wanted)});
        }
        const double loss = std::log(normalizer) - x.at(i * n + targets[i]);
        worst = std::max(worst, std::abs(losses.at(i) - loss));
        total += loss;
      }
      CHECK(worst < (dtype == DType::f32 ? 4e-6 : 1e-14));
      CHECK(cross_entropy(Variable(x), targets).item() == doctest::Approx(total / 4).epsilon(1e-6));
      CHECK(cross_entropy(Variable(x), targets, {.reduction = Reduction::sum}).item() ==
            doctest::Approx(total).epsilon(1e-6));
    }
    // No overflow, and a class with the logit -infinity has the probability 0.
    const Variable huge(Tensor::from({1000, 0, -1000, -kInfinity}, {1, 4}, dtype));
    const Tensor y = log_softmax(huge).value();
    CHECK(y.at(0) == 0);
    CHECK(y.at(1) == -1000);
    CHECK(y.at(3) == -kInfinity);
    CHECK(cross_entropy(huge, Indices(std::vector<int>{2})).item() == 2000);
    CHECK(std::isnan(log_softmax(Variable(Tensor::from({0, kNan, 1}, {3}, dtype))).value().at(0)));
  }
}

TEST_CASE("extreme arguments") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const auto values = [&](const std::vector<double>& x) {
      // Among other numbers, so that both vector loops and their tails meet them.
      std::vector<double> padded(41, 0.25);
      for (std::size_t i = 0; i < x.size(); ++i) padded[i] = padded[41 - x.size() + i] = x[i];
      return Variable(Tensor::from(padded, {41}, dtype));
    };
    const auto check = [&](const char* what, const Variable& y, const std::vector<double>& wanted) {
      const Tensor got = y.value();
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        for (const Size at : {static_cast<Size>(i), static_cast<Size>(41 - wanted.size() + i)}) {
          INFO(std::string(what), " ", std::string(name(dtype)), " element ", i, " got ",
               got.at(at), " wanted ", wanted[i]);
          const double value = got.at(at);
          const bool near =
              value == wanted[i] || std::abs(value - wanted[i]) <= 1e-6 * std::abs(wanted[i]);
          CHECK((std::isnan(wanted[i]) ? std::isnan(value) : near));
        }
      }
    };
    const Variable x = values({0, -0.0, 1000, -1000, kInfinity, -kInfinity, kNan});
    check("sigmoid", sigmoid(x), {0.5, 0.5, 1, 0, 1, 0, kNan});
    check("tanh", tanh(x), {0, 0, 1, -1, 1, -1, kNan});
    check("exp", exp(x), {1, 1, kInfinity, 0, kInfinity, 0, kNan});
    check("relu", relu(x), {0, 0, 1000, 0, kInfinity, 0, kNan});
    check("abs", abs(x), {0, 0, 1000, 1000, kInfinity, kInfinity, kNan});
    check("square", square(x), {0, 0, 1e6, 1e6, kInfinity, kInfinity, kNan});
    check("sign", sign(x), {0, 0, 1, -1, 1, -1, kNan});
    check("positive", positive(x), {0, 0, 1, 0, 1, 0, 0});
    check("is_zero", is_zero(x), {1, 1, 0, 0, 0, 0, 0});
    check("heaviside", heaviside(x), {0.5, 0.5, 1, 0, 1, 0, kNan});
    check("maximum", maximum(x, 1.0), {1, 1, 1000, 1, kInfinity, 1, kNan});
    check("maximum, other side", maximum(1.0, x), {1, 1, 1000, 1, kInfinity, 1, kNan});
    check("minimum", minimum(x, 1.0), {0, 0, 1, -1000, 1, -kInfinity, kNan});
    check("minimum, other side", minimum(1.0, x), {0, 0, 1, -1000, 1, -kInfinity, kNan});
    check("log", log(values({0, 1, kInfinity, -1, kNan})), {-kInfinity, 0, kInfinity, kNan, kNan});
    check("sqrt", sqrt(values({0, 4, kInfinity, -1, kNan})), {0, 2, kInfinity, kNan, kNan});
    check("div", values({1, -1, 0, 1}) / values({0, 0, 0, kInfinity}),
          {kInfinity, -kInfinity, kNan, 0});
    check("pow", pow(values({0, -2, -2, 2, 0, kNan, 0}), values({2, 3, 2, -1, 0, 1, -1})),
          {0, -8, 4, 0.5, 1, kNan, kInfinity});
    const auto slope = [&](auto&& f, const std::vector<double>& at) {
      Tape tape;
      const Variable in = tape.watch(values(at).value());
      return tape.gradient(sum(f(in)), {in})[0];
    };
    check("slope of tanh", slope([](auto& v) { return tanh(v); }, {0, 1000, -kInfinity}),
          {1, 0, 0});
    check("slope of sigmoid", slope([](auto& v) { return sigmoid(v); }, {0, 1000, -kInfinity}),
          {0.25, 0, 0});
    check("slope of relu", slope([](auto& v) { return relu(v); }, {0, 1000, -5}), {0, 1, 0});
    check("slope of abs", slope([](auto& v) { return abs(v); }, {0, 1000, -5}), {0, 1, -1});
    check("slope of maximum where both meet",
          slope([](auto& v) { return maximum(v, 2.0); }, {2, 3, 1}), {0.5, 1, 0});
    check("slope of a square by pow", slope([](auto& v) { return pow(v, 2); }, {0, 3, -4}),
          {0, 6, -8});
    check("slope of pow 1", slope([](auto& v) { return pow(v, 1); }, {0, 3, -4}), {1, 1, 1});
    check("slope of pow 0", slope([](auto& v) { return pow(v, 0); }, {0, 3, -4}), {0, 0, 0});
    check("slope of 0 pow", slope([](auto& v) { return pow(0, v); }, {0, 1, 0.5, -1}),
          {0, 0, 0, -kInfinity});
    // The slopes of pow(a, b) as PyTorch has them.
    Tape tape;
    const Variable a = tape.watch(values({0, 0, 0, 0, 0, 2}).value()),
                   b = tape.watch(values({0, 1, 2, 0.5, -1, 0}).value());
    const std::vector<Variable> slopes =
        tape.gradient(sum(pow(a, b)), {a, b}, {.create_graph = true});
    check("slope of pow by its base", slopes[0], {0, 1, 0, kInfinity, -kInfinity, 0});
    check("slope of pow by its exponent", slopes[1], {0, 0, 0, 0, -kInfinity, std::log(2.0)});
    // The second slopes. By both, they are infinite at (0, 0) and (0, 1): 1 is PyTorch's answer at
    // the latter, and at least no NaN.
    const Variable c = tape.watch(values({0, 0, 0, 2}).value()),
                   d = tape.watch(values({0, 1, 2, 0}).value());
    const std::vector<Variable> first =
        tape.gradient(sum(pow(c, d)), {c, d}, {.create_graph = true});
    const std::vector<Variable> by_base = tape.gradient(sum(first[0]), {c, d}),
                                by_exponent = tape.gradient(sum(first[1]), {c, d});
    check("second slope of pow by its base", by_base[0], {0, 0, 2, 0});
    check("second slope of pow by both", by_base[1], {1, 1, 0, 0.5});
    check("second slope of pow by its exponent", by_exponent[1],
          {0, 0, 0, std::log(2.0) * std::log(2.0)});
  }
}

TEST_CASE("rearranged values") {
  std::vector<double> count(60);
  for (std::size_t i = 0; i < 60; ++i) count[i] = static_cast<double>(i);
  for (const DType dtype : {DType::f32, DType::f64}) {
    const Variable x(Tensor::from(count, {3, 4, 5}, dtype));
    const auto at = [](const Variable& v, Size i) { return v.value().at(i); };
    CHECK(at(x[2][1], 3) == 48);
    CHECK(at(transpose(x), 1) == 5);
    CHECK(at(permute(x, {2, 0, 1}), 13) == 6);  // [1, 0, 1] of (5, 3, 4) is x[0, 1, 1]
    CHECK(at(slice(x, -1, 1, 2, 3), 3) == 9);
    CHECK(slice(x, 0, 3, 0).shape() == Shape{0, 4, 5});
    CHECK(at(reshape(transpose(x, 0, 1), {-1}), 5) == 20);
    CHECK(unsqueeze(x, -1).shape() == Shape{3, 4, 5, 1});
    CHECK(squeeze(unsqueeze(x, 1), 1).shape() == Shape{3, 4, 5});
    CHECK(at(broadcast_to(x[0][0], {2, 5}), 7) == 2);
    CHECK(at(concat({x, x}, 1), 20) == 0);
    CHECK(at(stack({x[0], x[2]}, 1), 5) == 40);
    CHECK(at(unstack(x, 2)[4], 1) == 9);
    CHECK(unstack(x, 2).size() == 5);
    CHECK(at(take(x, Indices(std::vector<int>{2, 2, 0}))[1], 0) == 40);
    CHECK(scatter_rows(x[0], Indices(std::vector<int>{1, 1, 0, 1}), 3).value().to_vector() ==
          std::vector<double>{10, 11, 12, 13, 14, 20, 23, 26, 29, 32, 0, 0, 0, 0, 0});
  }
  // Dropout keeps or drops, and keeps the expectation.
  Rng rng(1);
  const Tensor dropped = dropout(Variable(Tensor::full({100, 100}, 2.0)), 0.25, rng).value();
  Size zeros = 0;
  for (Size i = 0; i < 10000; ++i) {
    zeros += dropped.at(i) == 0;
    CHECK_MESSAGE((dropped.at(i) == 0 || dropped.at(i) == static_cast<float>(2 / 0.75)), i);
  }
  CHECK(std::abs(static_cast<double>(zeros) / 10000 - 0.25) < 0.02);  // four deviations
}

// GCC 12 stored four ones here before the build made it move constants in smaller pieces.
TEST_CASE("constants are stored as they are written") {
  CHECK(Tensor::from({1, 1, 1, 0}, {4}).to_vector().back() == 0);
}

}  // namespace
}  // namespace hindsight::test
