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

/// Right to first order; the derivative of the derivative is half of what it should be.
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

TEST_CASE("a part that is wrongly detached is found and named") {
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

TEST_CASE("the worst element is named with its index and both numbers") {
  Parameter good("layer.good", random_tensor({2, 2}, 1)),
      bad("layer.bad", random_tensor({2, 3, 2}, 2));
  // Element [1, 2, 0] of the second parameter is used detached, so its gradient is wrong.
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

/// A report on one input at the given elements.
CheckReport at(const std::vector<double>& x, const Function& f, const CheckOptions& options = {}) {
  return check_gradients(f, {Tensor::from(x, {static_cast<Size>(x.size())}, DType::f64)}, {},
                         options);
}

/// abs(x) + 3 x with a derivative that is off by `wrong`.
TEST_CASE("a function that differs when recomputed fails with a cause that says so") {
  Rng rng(1);
  const Function draws = [&](In x) { return dropout(x[0], 0.5, rng); };
  const CheckReport report = check_gradients(draws, {random_tensor({50}, 1)});
  CHECK(!report.passed);
  CHECK(report.checked == 0);
  CHECK(report.to_string().find("FAILED: the function's value is ") == 0);
  CHECK(report.to_string().find("dropout without a fixed seed") != std::string::npos);
  const Function fixed = [](In x) {
    Rng same(1);
    return dropout(x[0], 0.5, same);
  };
  CHECK(check_gradients(fixed, {random_tensor({50}, 1)}).passed);

  int calls = 0;  // of the backward, not of the value
  const Function counts = [&](In x) {
    return apply(
        "counts", {x[0]}, Save::nothing, x[0].shape(), x[0].dtype(),
        [](Inputs in, const Tensor& out) { copy(in[0], out); },
        [&calls](BackwardContext& ctx) { ctx.add(0, ctx.gradient * (1 + 1e-9 * ++calls)); });
  };
  const CheckReport gradient = check_gradients(counts, {random_tensor({3}, 1)});
  CHECK(!gradient.passed);
  CHECK(gradient.cause.find("the gradient of input 0 [0] is ") == 0);
}

TEST_CASE("the fast check takes two evaluations a direction, however many parameters") {
  Rng rng(1);
  nn::Lstm lstm({.input = 3, .hidden = 6}, rng);
  const Tensor x = random_tensor({4, 2, 3}, 1);
  int evaluations = 0;
  const auto f = [&] {
    if (!Tape::current()) ++evaluations;
    return lstm(x).outputs;
  };
  const CheckReport one = check_gradients(f, lstm.parameters(), {.fast = true});
  CHECK(one.passed);
  CHECK(one.checked == 1);
  CHECK(one.index == CheckedElement::kDirection);
  CHECK(evaluations == 4);  // two to see that the value repeats
  evaluations = 0;
  const CheckReport five = check_gradients(f, lstm.parameters(), {.fast = true, .directions = 5});
  CHECK(five.checked == 5);
  CHECK(evaluations == 12);
  CHECK(five.to_string().find("passed: 5 directions, worst all together: analytic ") == 0);
  CHECK(check_gradients(f, lstm.parameters(), {.second_order = true, .fast = true}).checked == 2);
}

TEST_CASE("the fast check names a single wrong element, also if two errors cancel") {
  const Parameter good("good", random_tensor({20}, 1)), bad("bad", random_tensor({3, 7}, 2));
  const auto f = [&] {
    const Variable hidden = Variable(bad).detach();
    return Variable(sum(square(good)) + sum(exp(bad)) + hidden[1][2] - hidden[2][6]);
  };
  const CheckReport report = check_gradients(f, {good, bad}, {.fast = true});
  INFO(report.to_string());
  CHECK(!report.passed);
  REQUIRE(report.tensors.size() == 2);
  CHECK(report.tensors[0].name == "all together");
  CHECK(report.tensors[1].name == "bad");
  REQUIRE(report.tensors[1].failures.size() == 1);
  CHECK(report.tensors[1].failures[0].index == 9);
  CHECK(report.to_string().find("\n    [1, 2]: analytic ") != std::string::npos);
}

TEST_CASE("a report lists the worst elements of every tensor") {
  const Tensor slopes = Tensor::from({5, 0, 3, 1, 4, 2}, {2, 3}, DType::f64);
  const Parameter w("w", random_tensor({2, 3}, 1)), v("v", random_tensor({2}, 2));
  const auto f = [&] {
    return Variable(sum(square(w)) + sum(square(v)) + sum(Variable(w).detach() * Variable(slopes)));
  };
  const CheckReport report = check_gradients(f, {w, v});
  REQUIRE(report.tensors.size() == 2);
  const CheckedTensor& tensor = report.tensors[0];
  CHECK(tensor.name == "w");
  CHECK(tensor.checked == 6);
  CHECK(tensor.failed == 5);
  CHECK(report.tensors[1].failed == 0);
  REQUIRE(tensor.failures.size() == 5);
  for (std::size_t i = 1; i < 5; ++i)
    CHECK(tensor.failures[i - 1].error >= tensor.failures[i].error);
  const std::string text = report.to_string();
  CHECK(text.find("\n  w (2, 3): 5 of 6 wrong\n    [") != std::string::npos);
  CHECK(text.find("\n    and 2 more\n") != std::string::npos);
  CHECK(text.find("\n  v ") == std::string::npos);
}

TEST_CASE("a check can be stopped, and reports what it has compared") {
  std::vector<Size> calls;
  const CheckReport report = at({1, 2, 3}, [](In x) { return tanh(x[0]); },
                                {.second_order = true, .on_progress = [&](Size done, Size all) {
                                   CHECK(all == 6);
                                   calls.push_back(done);
                                   return done < 2;
                                 }});
  CHECK(calls == std::vector<Size>{0, 1, 2});
  CHECK(report.passed);
  CHECK(!report.complete);
  CHECK(report.checked == 2);
  CHECK(report.to_string().find("passed so far: 2 elements") == 0);
}

TEST_CASE("a parameter that is given twice is left untouched too") {
  const Parameter w("w", random_tensor({3}, 1, DType::f32));
  const Tensor before = w.value().contiguous_copy();
  for (const bool fast : {false, true}) {
    const CheckReport report =
        check_gradients([&] { return sum(tanh(w)); }, {w, w}, {.second_order = true, .fast = fast});
    CHECK(report.passed);
    CHECK(report.checked == (fast ? 2 : 6));
  }
  CHECK(same_bits(w.value(), before));
}

TEST_CASE("a failing check leaves values, gradients and operations' parameters untouched") {
  const Parameter w("w", random_tensor({3, 3}, 1, DType::f32)),
      other("other", random_tensor({3}, 2));
  {
    Tape tape;
    tape.backward(sum(square(other)));
  }
  const Tensor value = w.value().contiguous_copy(), gradient = other.gradient().contiguous_copy(),
               constant = other.value().contiguous_copy();
  const CheckReport report =
      check_gradients([&] { return Variable(matmul(Variable(w).detach(), w) * other); }, {w},
                      {.second_order = true});
  CHECK(!report.passed);
  CHECK(same_bits(w.value(), value));
  CHECK(!w.has_gradient());
  CHECK(same_bits(other.value(), constant));
  CHECK(same_bits(other.gradient(), gradient));
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
  CHECK(w.data()->version == version);
}

TEST_CASE("values that are no scalar are weighted: no element hides another") {
  // Every output's own derivative is wrong, 2 and 0 where 1 is right, but their sum is right.
  const Function f = [](In x) { return concat({2 * x[0] - x[0].detach(), x[0].detach()}, 0); };
  CHECK(check_gradients([&](In x) { return sum(f(x)); }, {random_tensor({4}, 1)}).passed);
  CHECK(!check_gradients(f, {random_tensor({4}, 1)}).passed);
  CHECK(check_gradients([](In x) { return tanh(x[0]); }, {random_tensor({3, 2, 2}, 1)}).checked ==
        12);
}

TEST_CASE("functions that cannot be checked are rejected") {
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

TEST_CASE("options outside of their range are rejected") {
  const Parameter w("w", random_tensor({3}, 1));
  const auto message = [&](const CheckOptions& options) {
    return message_of<OptionError>(
        [&] { check_gradients([&] { return sum(exp(w)); }, {w}, options); });
  };
  CHECK(message({.step = 0}) ==
        "check_gradients: step 0, relative 1e-06, absolute 1e-08: step and absolute must be above "
        "0, relative at least 0");
  CHECK(message({.relative = -1}).find("relative -1") != std::string::npos);
  CHECK(message({.absolute = NAN}).find("absolute nan") != std::string::npos);
  CHECK(message({.elements = -1}) ==
        "check_gradients: elements -1, directions 1: at least 0 and 1 are needed");
  CHECK(message({.fast = true, .directions = 0}).find("directions 0") != std::string::npos);
}

TEST_CASE("the gradient by an input that the value does not depend on is zero, and passes") {
  const Parameter used("used", random_tensor({3}, 1)), unused("unused", random_tensor({3}, 2));
  CHECK(check_gradients([&] { return sum(exp(used)); }, {used, unused}, {.second_order = true})
            .passed);
}

TEST_CASE("a value that depends on nothing checked is rejected") {
  const Parameter forgotten("forgotten", random_tensor({3}, 1));
  CHECK(message_of<TapeError>([&] {
          check_gradients([] { return sum(Variable(Tensor::full({2}, 1, DType::f64))); },
                          {forgotten});
        }) == "check_gradients: the value depends on none of the inputs and parameters");
}

}  // namespace
}  // namespace hindsight::test
