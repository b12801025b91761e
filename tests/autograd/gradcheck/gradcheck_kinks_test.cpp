// Gradient checks at kinks, jumps and vertical slopes.
#include <hindsight/autograd/autograd.h>

#include "support.h"

namespace hindsight::test {
namespace {

CheckReport at(const std::vector<double>& x, const Function& f, const CheckOptions& options = {}) {
  return check_gradients(f, {Tensor::from(x, {static_cast<Size>(x.size())}, DType::f64)}, {},
                         options);
}

struct OffAbs {
  double wrong;
  template <class X>
  auto value(const X& x) const {
    return abs(x) + 3 * x;
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y&) const {
    return sign(x) + 3 + number(x, wrong);
  }
};

TEST_CASE("kinks are listed, and pass if the derivative is that of a side or between") {
  const CheckReport report = at({1, 0, -2}, [](In x) { return relu(x[0]); });
  INFO(report.to_string());
  CHECK(report.passed);
  CHECK(report.kinks == 1);
  REQUIRE(report.tensors[0].at_kinks.size() == 1);
  const CheckedElement kink = report.tensors[0].at_kinks[0];
  CHECK(kink.index == 1);
  CHECK(kink.analytic == 0);
  CHECK(std::abs(kink.left) < 1e-6);
  CHECK(std::abs(kink.right) > 0.1);  // the weight of that element
  CHECK(report.to_string().find("; 1 at kinks") != std::string::npos);

  CHECK(at({1, 0, -2}, [](In x) { return abs(x[0]); }).kinks == 1);  // in the middle of both
  CHECK(at({1, 2, 0.5}, [](In x) { return clamp(x[0], -2.0, 1.0); }).kinks == 1);
  const CheckReport ties = at({2, 1, 2}, [](In x) { return max(x[0], {0}); });
  CHECK(ties.passed);
  CHECK(ties.kinks == 2);
  CHECK(at({3, 1, 3}, [](In x) { return maximum(x[0], 3.0); }, {.fast = true}).kinks == 1);
  // The gradient jumps there: the second order is not checked.
  const CheckReport second =
      at({1, 0, -2}, [](In x) { return square(relu(x[0])) + relu(x[0]); }, {.second_order = true});
  INFO(second.to_string());
  CHECK(second.passed);
  CHECK(second.checked == 5);
}

TEST_CASE("a kink near the point, or of the slope, does no harm") {
  const CheckReport bend = at({0, 1}, [](In x) { return square(relu(x[0])); });
  CHECK(bend.passed);
  CHECK(bend.kinks == 0);

  for (double distance : {1e-9, 3e-8, 5e-7, 2e-6}) {
    INFO("at ", distance);
    for (double x : {distance, -distance})
      CHECK(at({x}, [](In in) { return sum(relu(in[0]) + in[0]); }).passed);
  }
}

TEST_CASE("a wrong derivative does not pass for a kink") {
  const auto off = [](double wrong) {
    return [wrong](In x) { return sum(elementwise(OffAbs{wrong}, x[0])); };
  };
  CHECK(at({0}, off(0)).passed);
  CHECK(at({0}, off(0.999)).passed);  // still between the slopes
  CHECK(!at({0}, off(1.001)).passed);
  CHECK(!at({0}, off(-1.001)).passed);
  CHECK(!at({1}, off(1e-4)).passed);
  // A curvature so large that it looks like a kink over a step, at any scale.
  for (double scale : {1.0, 1e2, 1e3, 1e4, 1e5}) {
    const auto bends = [scale](double factor) {
      return [scale, factor](In x) {
        const Variable y = tanh(scale * x[0]) / scale;
        return sum(factor * y + (1 - factor) * y.detach() + square(y));
      };
    };
    INFO("scale ", scale);
    for (double x : {0.0, 1e-3 / scale, 0.3 / scale}) {
      CHECK(at({x}, bends(1)).passed);
      CHECK(!at({x}, bends(1.01)).passed);
      CHECK(at({x}, bends(1.01)).kinks == 0);
    }
  }
}

TEST_CASE("jumps and vertical slopes are distinguished from wrong derivatives") {
  const CheckReport jump = at({1, 0}, [](In x) { return sum(sign(x[0])) + sum(x[0]); });
  CHECK(!jump.passed);
  CHECK(jump.tensors[0].failures[0].kind == CheckedElement::Kind::jump);
  CHECK(jump.cause.find("the function jumps or is vertical there") == 0);
  CHECK(!jump.culprit.has_value());
  // From one side it has a derivative, and that is what the tape says.
  CHECK(at({0}, [](In x) { return sum(positive(x[0]) + x[0]); }).passed);
  CHECK(!at({0}, [](In x) { return sum(positive(x[0]) + 2 * x[0] - x[0].detach()); }).passed);
  // A jump does not hide a derivative that is wrong elsewhere.
  const CheckReport both =
      at({0, 2, 3}, [](In x) { return sum(sign(x[0])) + sum(x[0] * x[0].detach()); });
  CHECK(!both.passed);
  CHECK(both.cause.find("jumps") == std::string::npos);
  CHECK(both.culprit.has_value());
}

TEST_CASE("the fast check skips the second order along a direction with a kink") {
  const CheckReport second = at({1, 0}, [](In x) { return sum(square(x[0]) + relu(x[0])); },
                                {.second_order = true, .fast = true});
  INFO(second.to_string());
  CHECK(second.passed);
  CHECK(second.kinks == 1);
  CHECK(second.checked == 1);
}

}  // namespace
}  // namespace hindsight::test
