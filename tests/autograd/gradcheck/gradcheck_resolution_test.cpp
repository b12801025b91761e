// What the gradient check can resolve: losses of any size, steep functions, ends of domains, values
// that rounding hides, gradients reused from an earlier call; and how many evaluations it takes.
#include "support.h"

namespace hindsight::test {
namespace {

/// x, whose gradient has the wrong sign.
Variable flipped(const Variable& x) {
  return apply(
      "flipped", {x}, Save::nothing, x.shape(), x.dtype(),
      [](Inputs in, const Tensor& out) { copy(in[0], out); },
      [](BackwardContext& ctx) { ctx.add(0, -ctx.gradient); });
}

CheckReport at(const std::vector<double>& x, const Function& f, const CheckOptions& options = {}) {
  return check_gradients(f, {Tensor::from(x, {static_cast<Size>(x.size())}, DType::f64)}, {},
                         options);
}

TEST_CASE("a wrong sign is caught in a loss of any size") {
  for (const double scale : {1e-30, 1e-12, 1e-6, 1.0, 1e12}) {
    INFO("scale ", scale);
    const auto loss = [scale](In x) { return Variable(scale * sum(square(x[0]))); };
    const CheckReport right = at({1, -0.5, 2}, loss, {.second_order = true});
    INFO(right.to_string());
    CHECK(right.passed);
    CHECK(right.unresolved == 0);
    const CheckReport wrong = at({1, -0.5, 2}, [&](In x) { return flipped(loss(x)); });
    CHECK(!wrong.passed);
    CHECK(wrong.tensors[0].failed == 3);
    REQUIRE(wrong.culprit.has_value());
    CHECK(wrong.culprit->operation == "flipped");
    CHECK(!at({1, -0.5, 2}, [&](In x) { return flipped(loss(x)); }, {.fast = true}).passed);
  }
}

TEST_CASE("unresolved derivatives are counted, and a tensor without resolved ones is named") {
  for (const bool fast : {false, true}) {
    const CheckReport blind =
        at({1, -0.5, 2}, [](In x) { return Variable(1 + 1e-12 * sum(flipped(square(x[0])))); },
           {.fast = fast});
    INFO(blind.to_string());
    CHECK(blind.passed);
    CHECK(blind.unresolved == blind.checked);
    CHECK(blind.warning.find(fast
                                 ? "no derivative of all together could be compared: rounding "
                                   "hides any below "
                                 : "no derivative of input 0 could be compared: rounding hides any "
                                   "below ") == 0);
    CHECK(blind.to_string().find(" too small to be compared\n  warning: no derivative of ") !=
          std::string::npos);
  }
  // If some are resolved there is no warning; gradients that are 0 do not count as too small.
  const CheckReport some = at({1, 2, 3}, [](In x) { return Variable(x[0][0] + 1e-12 * x[0][1]); });
  INFO(some.to_string());
  CHECK(some.passed);
  CHECK(some.unresolved == 1);
  CHECK(some.tensors[0].zeros == 1);
  CHECK(some.warning.empty());
  CHECK(some.to_string().find("; 1 too small to be compared") != std::string::npos);
}

TEST_CASE("a report says how many elements there are if not all are compared") {
  const Function f = [](In x) { return tanh(x[0]); };
  const CheckReport part = check_gradients(f, {random_tensor({10, 10}, 1)}, {}, {.elements = 7});
  CHECK(part.checked == 7);
  CHECK(part.elements == 100);
  CHECK(part.to_string().find("passed: 7 elements of 100, worst input 0 [") == 0);
  const CheckReport all = check_gradients(f, {random_tensor({10}, 1)}, {}, {.second_order = true});
  CHECK(all.elements == 20);
  CHECK(all.to_string().find("passed: 20 elements, worst ") == 0);
}

TEST_CASE(
    "functions with a steep slope or the end of their domain near the point pass, mistakes do "
    "not") {
  struct Case {
    const char* name;
    Function function;
  };
  const Case cases[] = {
      {"log", [](In x) { return log(x[0]); }},
      {"sqrt", [](In x) { return sqrt(x[0]); }},
      {"reciprocal", [](In x) { return Variable(1 / x[0]); }},
      {"log of abs", [](In x) { return log(abs(x[0])); }},
  };
  for (const Case& c : cases) {
    for (const double x : {1e-3, 1e-4, 1e-5, 5e-6, 2e-6, 1e-6, 1e-7, 1e-9, 1e-12, 1e-15}) {
      INFO(std::string(c.name), " at ", x);
      const CheckReport right = at({x, 2 * x}, c.function, {.second_order = x > 1e-12});
      INFO(right.to_string());
      CHECK(right.passed);
      CHECK(right.kinks == 0);
      const auto wrong = [&](In in) {
        const Variable y = c.function(in);
        return Variable(1.001 * y - 0.001 * y.detach());
      };
      CHECK(!at({x, 2 * x}, wrong).passed);
    }
  }
}

TEST_CASE("no operation beside a steep one is blamed, and no kink seen in it") {
  for (const double k : {1e4, 1e5, 1e6, 1e7, 1e8}) {
    INFO("steepness ", k);
    const std::vector<Tensor> x{
        Tensor::from({0, 1e-3 / k, 0.3 / k, -2 / k, 1, -1}, {6}, DType::f64),
        Tensor::from({1, 2, 3, 4, 5, 6}, {6}, DType::f64)};
    const auto product = [k](In in) { return Variable(softplus(k * in[0]) * in[1]); };
    const CheckReport right = check_gradients(product, x);
    INFO(right.to_string());
    CHECK(right.passed);
    CHECK(right.kinks == 0);
    const CheckReport wrong = check_gradients([&](In in) { return flipped(product(in)); }, x);
    INFO(wrong.to_string());
    REQUIRE(wrong.culprit.has_value());
    CHECK(wrong.culprit->operation == "flipped");
  }
  CHECK(at({1e6, 12345.678}, [](In x) { return sin(x[0]); }, {.second_order = true}).passed);
}

TEST_CASE("values whose terms mostly cancel pass") {
  // A confident cross-entropy: 1e-12 remains of values of 30.
  const Function sure = [](In x) { return Variable(logsumexp(x[0], {0}) - x[0][0]); };
  const CheckReport cross_entropy = at({30, 1, 2}, sure, {.second_order = true});
  INFO(cross_entropy.to_string());
  CHECK(cross_entropy.passed);
  CHECK(cross_entropy.unresolved == 6);
  CHECK(at({30, 25, 20}, [](In x) { return Variable(log(1 + exp(x[0])) - x[0]); },
           {.second_order = true})
            .passed);
  CHECK(at({1, 2, 3}, [](In x) { return Variable((1e6 + 1e-3 * x[0]) - 1e6); }).passed);
  CHECK(
      at({0, 0}, [](In x) { return Variable(x[0] * x[0] * x[0]); }, {.second_order = true}).passed);
}

/// x^2, whose derivative reads kept(x) instead of x.
Variable square_of_kept(const Variable& x, const std::function<Tensor(const Tensor&)>& kept) {
  return apply(
      "square_of_kept", {x}, Save::inputs, x.shape(), x.dtype(),
      [](Inputs in, const Tensor& out) { copy(Variable(square(Variable(in[0]))).value(), out); },
      [kept](BackwardContext& ctx) {
        ctx.add(0, 2 * ctx.gradient * Variable(kept(ctx.input(0).value())));
      });
}

TEST_CASE("a gradient reused from an earlier call is noticed") {
  Tensor kept;
  const auto stale = [&](const Tensor& x) {
    const Tensor last = std::exchange(kept, x.contiguous_copy());
    return last ? last : x;
  };
  for (const bool fast : {false, true}) {
    kept = Tensor();
    const CheckReport call_before =
        at({1, 2}, [&](In x) { return square_of_kept(x[0], stale); }, {.fast = fast});
    INFO(call_before.to_string());
    CHECK(!call_before.passed);
    CHECK(call_before.cause.find("carries state from call to call") != std::string::npos);
    Tensor first;
    const auto once = [&](const Tensor& x) { return first = first ? first : x.contiguous_copy(); };
    const CheckReport first_call =
        at({1, 2}, [&](In x) { return square_of_kept(x[0], once); }, {.fast = fast});
    INFO(first_call.to_string());
    CHECK(!first_call.passed);
    CHECK(first_call.culprit->operation == "square_of_kept");
  }
}

TEST_CASE("a right gradient costs two evaluations for each element, and five more") {
  int values = 0, gradients = 0;
  const Function f = [&](In x) {
    ++(Tape::current() ? gradients : values);
    return tanh(x[0]);
  };
  check_gradients(f, {random_tensor({50}, 1)});
  CHECK(values == 2 + 2 * 50);
  CHECK(gradients == 3);
  // Kinks cost more, but not much: rounding is measured once.
  values = gradients = 0;
  const Function kinks = [&](In x) {
    ++(Tape::current() ? gradients : values);
    return relu(x[0]);
  };
  CHECK(at(std::vector<double>(50, 0.0), kinks).kinks == 50);
  CHECK(values <= 2 + 12 * 50 + 80);
}

}  // namespace
}  // namespace hindsight::test
