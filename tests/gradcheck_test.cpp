// The gradient check itself: right derivatives pass, planted mistakes are caught and named.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

enum class Mistake { none, sign, missing_term, factor };

/// x^2 tanh(x) with a derivative that may be planted wrong.
template <Mistake kind>
struct Planted {
  template <class X>
  auto value(const X& x) const {
    return x * x * tanh(x);
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    if constexpr (kind == Mistake::sign) {
      return 2 * x * tanh(x) - x * x * (1 - tanh(x) * tanh(x));
    } else if constexpr (kind == Mistake::missing_term) {
      return 2 * x * tanh(x);
    } else if constexpr (kind == Mistake::factor) {  // a thousandth too large
      return (2 * x * tanh(x) + x * x * (1 - tanh(x) * tanh(x))) * 1001 / 1000;
    } else {
      return 2 * x * tanh(x) + x * x * (1 - tanh(x) * tanh(x));
    }
  }
};

template <Mistake kind>
CheckReport planted() {
  return check_gradients([](In x) { return elementwise(Planted<kind>{}, x[0]); },
                         {random_tensor({3, 5}, 1)});
}

TEST_CASE("planted mistakes in a user's derivative are caught") {
  CHECK(planted<Mistake::none>().passed);
  CHECK(planted<Mistake::none>());
  CHECK(!planted<Mistake::sign>().passed);
  CHECK(!planted<Mistake::missing_term>().passed);
  CHECK(!planted<Mistake::factor>());
}

/// Right to first order; the derivative's own derivative forgets half.
struct WrongTwice {
  template <class X>
  auto value(const X& x) const {
    return x * x * x;
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return 3 * elementwise_square(x);
  }
  struct Square {
    template <class X>
    auto value(const X& x) const {
      return x * x;
    }
    template <class X, class Y>
    X derivative(const X& x, const Y&) const {
      return x;
    }
  };
  template <class X>
  static auto elementwise_square(const X& x) {
    if constexpr (std::is_same_v<X, Variable>) {
      return elementwise(Square{}, x);
    } else {
      return x * x;
    }
  }
};

TEST_CASE("a mistake of second order is caught when asked for") {
  const Function f = [](In x) { return elementwise(WrongTwice{}, x[0]); };
  const std::vector<Tensor> x{random_tensor({4}, 1)};
  CHECK(check_gradients(f, x).passed);
  const CheckReport report = check_gradients(f, x, {}, {.second_order = true});
  CHECK(!report.passed);
  CHECK(report.name == "second order of input 0");
}

TEST_CASE("a part that is wrongly detached is caught, and named") {
  Rng rng(1);
  nn::Linear linear({.inputs = 3, .outputs = 2}, rng);
  const Tensor x = random_tensor({4, 3}, 2);
  const auto right = [&] { return tanh(linear(Variable(x))); };
  const auto wrong = [&] {
    const Variable h = linear(Variable(x));
    return Variable(tanh(h) + 0.1 * square(Variable(linear.bias).detach()));
  };
  CHECK(check_gradients(right, linear.parameters()).passed);
  const CheckReport report = check_gradients(wrong, linear.parameters());
  CHECK(!report.passed);
  CHECK(report.name == "bias");
}

TEST_CASE("the worst element is named with its place and both numbers") {
  Parameter good("layer.good", random_tensor({2, 2}, 1)),
      bad("layer.bad", random_tensor({2, 3, 2}, 2));
  // Element [1, 2, 0] of the second parameter is used where the gradient does not see it.
  const CheckReport report = check_gradients(
      [&] {
        const Variable hidden = Variable(bad).detach()[1][2][0];
        return Variable(sum(square(good)) + sum(square(bad)) + 3 * hidden);
      },
      {good, bad});
  CHECK(!report.passed);
  CHECK(report.name == "layer.bad");
  CHECK(report.index == 10);
  CHECK(report.shape == Shape{2, 3, 2});
  CHECK(report.checked == 16);
  CHECK(report.numeric - report.analytic == doctest::Approx(3).epsilon(1e-6));
  CHECK(report.error > 1);
  const std::string text = report.to_string();
  CHECK(text.find("FAILED: 16 elements, worst layer.bad [1, 2, 0]: analytic ") == 0);
  CHECK(text.find(" of the allowed error") != std::string::npos);
  const CheckReport fine = check_gradients([&] { return sum(square(good)); }, {good});
  CHECK(fine.to_string().find("passed: 4 elements, worst layer.good [") == 0);
  CHECK(fine.error <= 1);
}

TEST_CASE("NaN fails and stays the worst") {
  const Function f = [](In x) { return sum(sqrt(x[0])); };
  const CheckReport report =
      check_gradients(f, {Tensor::from({1, -1, 4}, {3}, DType::f64)}, {}, {.second_order = true});
  CHECK(!report.passed);
  CHECK(report.name == "input 0");
  CHECK(report.index == 0);  // NaN in one element makes the whole loss NaN
  CHECK(std::isnan(report.error));
  // A gradient that is NaN while the loss is not: sqrt at 0 times 0.
  const CheckReport nan = check_gradients([](In x) { return sum(sqrt(abs(x[0] - 1)) * 0.0); },
                                          {Tensor::from({2, 1}, {2}, DType::f64)});
  CHECK(!nan.passed);
  CHECK(nan.index == 1);
  CHECK(std::isnan(nan.analytic));
}

TEST_CASE("a float model is checked in double and left untouched, bit for bit") {
  Rng rng(4);
  nn::Lstm lstm({.input = 3, .hidden = 5}, rng);
  const Tensor x = random_tensor({4, 2, 3}, 1, DType::f32);
  std::vector<Tensor> before, gradients;
  {
    Tape tape;
    tape.backward(sum(square(lstm(Variable(x)).outputs)));
  }
  for (const Parameter& p : lstm.parameters()) {
    before.push_back(p.value().contiguous_copy());
    gradients.push_back(p.gradient().contiguous_copy());
  }
  const Buffer memory = lstm.parameters()[0].value().buffer();
  DType inside = DType::f32;
  const CheckReport report = check_gradients(
      [&](In in) {
        inside = lstm.parameters()[0].dtype();
        return sum(square(lstm(in[0]).outputs));
      },
      {x}, lstm.parameters(), {.elements = 5});
  CHECK(report.passed);
  CHECK(report.checked == 25);
  CHECK(inside == DType::f64);
  for (std::size_t i = 0; i < before.size(); ++i) {
    CHECK(same_bits(lstm.parameters()[i].value(), before[i]));
    CHECK(same_bits(lstm.parameters()[i].gradient(), gradients[i]));
  }
  CHECK(lstm.parameters()[0].value().buffer() == memory);
  // Also when the function throws.
  CHECK(message_of<IndexError>([&] {
          check_gradients([&]() -> Variable { return Variable(lstm.parameters()[0])[999]; },
                          lstm.parameters());
        }) == "operator[]: index 999 is out of range for shape (20, 3)");
  for (std::size_t i = 0; i < before.size(); ++i)
    CHECK(same_bits(lstm.parameters()[i].value(), before[i]));
  CHECK(Tape::current() == nullptr);
}

TEST_CASE("a double model is left untouched too") {
  Parameter w("w", random_tensor({3}, 1));
  const Tensor before = w.value().contiguous_copy();
  const std::uint64_t version = w.data()->version;
  CHECK(check_gradients([&] { return sum(tanh(w)); }, {w}).passed);
  CHECK(same_bits(w.value(), before));
  CHECK(w.data()->version != version);  // copies made for speed know
}

TEST_CASE("values that are no scalar are weighted: no element hides another") {
  // Every output's own derivative is wrong, 2 and 0 where 1 is right, but their sum is right.
  const Function f = [](In x) { return concat({2 * x[0] - x[0].detach(), x[0].detach()}, 0); };
  CHECK(check_gradients([&](In x) { return sum(f(x)); }, {random_tensor({4}, 1)}).passed);
  CHECK(!check_gradients(f, {random_tensor({4}, 1)}).passed);
  CHECK(check_gradients([](In x) { return tanh(x[0]); }, {random_tensor({3, 2, 2}, 1)}).checked ==
        12);
}

TEST_CASE("what the check refuses") {
  const Parameter w("w", random_tensor({3}, 1));
  CHECK(message_of<DTypeError>([&] {
          check_gradients([](In) { return Variable(Tensor::full({2}, 1)); },
                          {random_tensor({2}, 1)});
        }) ==
        "check_gradients: the function computed a float32 value from float64 inputs and "
        "parameters; convert the constants it uses");
  CHECK(message_of<DTypeError>([&] {
          check_gradients([&] { return Variable(w * Variable(Tensor::full({3}, 1))); }, {w});
        }) == "mul: float64 and float32 operands are mixed; convert one");
}

TEST_CASE("the gradient of what a value does not depend on is zero, and passes") {
  const Parameter used("used", random_tensor({3}, 1)), unused("unused", random_tensor({3}, 2));
  CHECK(check_gradients([&] { return sum(exp(used)); }, {used, unused}, {.second_order = true})
            .passed);
}

TEST_CASE("a value that depends on nothing checked is refused") {
  const Parameter forgotten("forgotten", random_tensor({3}, 1));
  CHECK(message_of<TapeError>([&] {
          check_gradients([] { return sum(Variable(Tensor::full({2}, 1, DType::f64))); },
                          {forgotten});
        }) == "check_gradients: the value depends on none of the inputs and parameters");
}

}  // namespace
}  // namespace hindsight::test
