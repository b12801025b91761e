// Wrong derivatives, planted in a user's operations: the gradient check finds each, and names the
// operation, its input and its time step.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

enum class Mistake { none, sign, missing_term, factor, reads_output, wrong_curvature };

/// x^2, with half its derivative.
struct WrongSquare {
  static constexpr const char* kName = "wrong_square";
  template <class X>
  auto value(const X& x) const {
    return x * x;
  }
  template <class X, class Y>
  X derivative(const X& x, const Y&) const {
    return x;
  }
};

/// x^3 + tanh(x) with a derivative that may be planted wrong.
template <Mistake kind>
struct Planted {
  static constexpr const char* kName = "planted";
  template <class X>
  auto value(const X& x) const {
    return x * x * x + tanh(x);
  }
  template <class X>
  static auto squared(const X& x) {
    if constexpr (kind == Mistake::wrong_curvature && std::is_same_v<X, Variable>) {
      return Variable(elementwise(WrongSquare{}, x));
    } else {
      return x * x;
    }
  }
  template <class X, class Y>
  auto derivative(const X& x, const Y& y) const {
    if constexpr (kind == Mistake::sign) {
      return 3 * x * x - (1 - tanh(x) * tanh(x));
    } else if constexpr (kind == Mistake::missing_term) {
      return 3 * x * x;
    } else if constexpr (kind == Mistake::factor) {  // a thousandth too large
      return (3 * x * x + 1 - tanh(x) * tanh(x)) * 1001 / 1000;
    } else if constexpr (kind == Mistake::reads_output) {
      return 3 * y * y + 1 - tanh(x) * tanh(x);
    } else {
      return 3 * squared(x) + 1 - tanh(x) * tanh(x);
    }
  }
};

/// Two steps of a network, the planted function in the second.
CheckReport check_planted(const std::function<Variable(const Variable&)>& planted,
                          const CheckOptions& options = {}) {
  const Parameter w("w", random_tensor({4, 4}, 3));
  return check_gradients(
      [&](In x) {
        const Scope model("model");
        Variable h = tanh(matmul(x[0], Variable(w)));
        {
          const Scope step(TimeStep{1});
          h = planted(h);
        }
        return Variable(matmul(h, Variable(w)));
      },
      {random_tensor({3, 4}, 1)}, {w}, options);
}

/// Checks that the report blames the backward of an operation and says where it is.
void check_blamed(const CheckReport& report, const std::string& operation,
                  const std::string& input = "input 0") {
  INFO(report.to_string());
  CHECK(!report.passed);
  REQUIRE(report.culprit.has_value());
  const Culprit& culprit = *report.culprit;
  CHECK(culprit.kind == Culprit::Kind::backward);
  CHECK(culprit.operation == operation);
  CHECK(culprit.place == "model, time step 1");
  CHECK(culprit.time_step == 1);
  CHECK(culprit.input == input);
  CHECK(!culprit.element.passed());
  CHECK(report.to_string().find("the backward of " + operation + " (model, time step 1") !=
        std::string::npos);
}

template <Mistake kind>
Variable elementwise_planted(const Variable& h) {
  return elementwise(Planted<kind>{}, h);
}

TEST_CASE("a sign, a missing term, a forgotten factor, an output read for the input") {
  CHECK(check_planted(elementwise_planted<Mistake::none>, {.second_order = true}).passed);
  check_blamed(check_planted(elementwise_planted<Mistake::sign>), "planted");
  check_blamed(check_planted(elementwise_planted<Mistake::missing_term>), "planted");
  check_blamed(check_planted(elementwise_planted<Mistake::factor>), "planted");
  check_blamed(check_planted(elementwise_planted<Mistake::reads_output>), "planted");
  // The fast check finds them too, with a tensor and an element.
  const CheckReport fast = check_planted(elementwise_planted<Mistake::factor>, {.fast = true});
  check_blamed(fast, "planted");
  CHECK(fast.tensors.size() == 3);
  CHECK(fast.tensors[1].name == "input 0");
  CHECK(fast.tensors[1].failures[0].index >= 0);
}

TEST_CASE("right to first order, wrong to second") {
  CHECK(check_planted(elementwise_planted<Mistake::wrong_curvature>).passed);
  for (const bool fast : {false, true}) {
    const CheckReport report = check_planted(elementwise_planted<Mistake::wrong_curvature>,
                                             {.second_order = true, .fast = fast});
    check_blamed(report, "wrong_square");
    CHECK(report.culprit->in_sweep);
    CHECK(report.name.find("second order of ") == 0);
  }
}

TEST_CASE("a derivative that is detached to second order only") {
  const CheckReport report = check_planted(
      [](const Variable& h) {
        return apply(
            "cut", {h}, Save::inputs, h.shape(), h.dtype(),
            [](Inputs in, const Tensor& out) {
              copy(Variable(square(Variable(in[0]))).value(), out);
            },
            [](BackwardContext& ctx) { ctx.add(0, 2 * ctx.gradient * ctx.input(0).detach()); });
      },
      {.second_order = true});
  INFO(report.to_string());
  CHECK(!report.passed);
  CHECK(report.tensors[0].failed == 0);
  REQUIRE(report.culprit.has_value());
  CHECK(report.culprit->kind == Culprit::Kind::constant);
  CHECK(report.culprit->operation == "mul");
  CHECK(report.culprit->in_sweep);
}

/// a b^T, or the same with a transposed gradient of b.
Variable product(const Variable& a, const Variable& b, Mistake mistake) {
  return apply(
      "product", {a, b}, Save::inputs, Shape{a.size(0), b.size(0)}, a.dtype(),
      [](Inputs in, const Tensor& out) {
        copy(matmul(Variable(in[0]), transpose(Variable(in[1]))).value(), out);
      },
      [mistake](BackwardContext& ctx) {
        ctx.add(0, matmul(ctx.gradient, ctx.input(1)));
        const Variable g = matmul(transpose(ctx.gradient), ctx.input(0));
        ctx.add(1, mistake == Mistake::none ? g : transpose(g));
      });
}

TEST_CASE("a wrong transpose: of a parameter, which is named") {
  const Parameter w("cell.w", random_tensor({4, 4}, 5));
  const auto check = [&](Mistake mistake) {
    return check_gradients(
        [&](In x) {
          const Scope model("model");
          const Scope step(TimeStep{1});
          return Variable(tanh(product(x[0], w, mistake)));
        },
        {random_tensor({4, 4}, 1)}, {w});
  };
  CHECK(check(Mistake::none).passed);
  const CheckReport report = check(Mistake::factor);
  check_blamed(report, "product", "cell.w");
  CHECK(report.culprit->shape == Shape{4, 4});
  CHECK(report.name == "cell.w");
}

/// Row t of the result is row t - 1 of x. The gradient is shifted by `back` rows: 1 is right.
Variable delayed(const Variable& x, Size back) {
  const auto move = [](const Variable& from, Size steps) {
    const Tensor to = Tensor::zeros(from.shape(), from.dtype());
    for (Size t = 0; t < from.size(0); ++t) {
      if (t + steps >= 0 && t + steps < from.size(0))
        copy(from[t].value(), Variable(to)[t + steps].value());
    }
    return to;
  };
  return apply(
      "delayed", {x}, Save::nothing, x.shape(), x.dtype(),
      [move](Inputs in, const Tensor& out) { copy(move(Variable(in[0]), 1), out); },
      [move, back](BackwardContext& ctx) { ctx.add(0, Variable(move(ctx.gradient, -back))); });
}

TEST_CASE("a gradient one time step off") {
  CHECK(check_planted([](const Variable& h) { return delayed(h, 1); }).passed);
  check_blamed(check_planted([](const Variable& h) { return delayed(h, 0); }), "delayed");
  check_blamed(check_planted([](const Variable& h) { return delayed(h, 2); }), "delayed");
}

/// x + row for every row of x; on request, the row's gradient is that of one row only.
Variable add_row(const Variable& x, const Variable& row, Mistake mistake) {
  return apply(
      "add_row", {x, row}, Save::nothing, x.shape(), x.dtype(),
      [](Inputs in, const Tensor& out) {
        copy(in[0], out);
        copy(in[1], out, true);
      },
      [mistake](BackwardContext& ctx) {
        ctx.add(0, ctx.gradient);
        ctx.add(1, mistake == Mistake::none ? ctx.gradient : ctx.gradient[0]);
      });
}

TEST_CASE("a sum over a repeated axis that is missing") {
  const Parameter bias("bias", random_tensor({4}, 5));
  const auto add = [&](Mistake mistake) {
    return [&bias, mistake](const Variable& h) { return add_row(h, bias, mistake); };
  };
  CHECK(check_planted(add(Mistake::none)).passed);
  // The check does not compute the gradient of the bias, and all others are right.
  CHECK(check_planted(add(Mistake::missing_term)).passed);
  const CheckReport report = check_gradients(
      [&](In x) {
        const Scope model("model");
        const Scope step(TimeStep{1});
        return add_row(x[0], bias, Mistake::missing_term);
      },
      {random_tensor({3, 4}, 1)}, {bias});
  check_blamed(report, "add_row", "bias");
  CHECK(report.tensors[0].failed == 0);
  CHECK(report.tensors[1].failed == 4);
}

/// The sum of the gates i, f, g weighted 1, 2, 3; the gradient puts them in another order.
Variable gates(const Variable& x, const std::vector<double>& order) {
  const Size width = x.size(1) / 4;
  return apply(
      "gates", {x}, Save::nothing, Shape{x.size(0), width}, x.dtype(),
      [width](Inputs in, const Tensor& out) {
        out.fill(0);
        for (int k = 0; k < 4; ++k) {
          const Variable gate = slice(Variable(in[0]), 1, k * width, width);
          copy(Variable((k + 1) * gate).value(), out, true);
        }
      },
      [order](BackwardContext& ctx) {
        std::vector<Variable> parts;
        for (double weight : order) parts.push_back(weight * ctx.gradient);
        ctx.add(0, concat(parts, 1));
      });
}

TEST_CASE("gates in another order") {
  const auto check = [](const std::vector<double>& order) {
    return check_planted([&](const Variable& h) {
      return matmul(gates(h, order), Variable(Tensor::full({1, 4}, 1, DType::f64)));
    });
  };
  CHECK(check({1, 2, 3, 4}).passed);
  check_blamed(check({1, 3, 2, 4}), "gates");
}

TEST_CASE("a gradient dropped for one input") {
  const Parameter w("w", random_tensor({4}, 5));
  const auto multiply = [&](const Variable& h) {
    return apply(
        "half", {h, Variable(w)}, Save::inputs, h.shape(), h.dtype(),
        [](Inputs in, const Tensor& out) {
          copy(Variable(Variable(in[0]) * Variable(in[1])).value(), out);
        },
        [](BackwardContext& ctx) { ctx.add(0, ctx.gradient * ctx.input(1)); });
  };
  const auto check = [&](const std::function<Variable(const Variable&)>& f) {
    return check_gradients(
        [&](In x) {
          const Scope model("model");
          const Scope step(TimeStep{1});
          return Variable(f(x[0]) + w);
        },
        {random_tensor({3, 4}, 1)}, {w});
  };
  check_blamed(check(multiply), "half", "w");
  // With detach(), each operation passes in isolation; the detached value is found.
  const CheckReport cut =
      check([&](const Variable& h) { return Variable(h * Variable(w).detach()); });
  INFO(cut.to_string());
  CHECK(!cut.passed);
  REQUIRE(cut.culprit.has_value());
  CHECK(cut.culprit->kind == Culprit::Kind::constant);
  CHECK(cut.culprit->operation == "mul");
  CHECK(cut.culprit->input == "w");
  CHECK(cut.culprit->place == "model, time step 1");
  // Also if the detached value is in the memory of the other input, which is perturbed.
  const CheckReport same =
      check([&](const Variable& h) { return Variable(h + w * Variable(w).detach()); });
  REQUIRE(same.culprit.has_value());
  CHECK(same.culprit->kind == Culprit::Kind::constant);
}

/// x * slopes, whose gradient is wrong in one element.
Variable one_wrong(const Variable& x, const Tensor& slopes, Size wrong) {
  const Tensor gradient = slopes.contiguous_copy();
  gradient.set(wrong, -slopes.at(wrong));
  return apply(
      "one_wrong", {x}, Save::nothing, x.shape(), x.dtype(),
      [slopes](Inputs in, const Tensor& out) {
        copy(Variable(Variable(in[0]) * Variable(slopes)).value(), out);
      },
      [gradient](BackwardContext& ctx) { ctx.add(0, ctx.gradient * Variable(gradient)); });
}

TEST_CASE("one wrong element among many, or beside large ones") {
  const auto check = [](const Tensor& slopes, Size wrong) {
    const CheckReport report =
        check_gradients([&](In x) { return one_wrong(tanh(x[0]), slopes, wrong); },
                        {random_tensor(slopes.shape(), 1)});
    INFO(report.to_string());
    CHECK(!report.passed);
    CHECK(report.tensors[0].failed == 1);
    REQUIRE(report.culprit.has_value());
    CHECK(report.culprit->operation == "one_wrong");
    CHECK(report.culprit->element.index == wrong);
  };
  check(random_tensor({10000}, 2), 4321);
  // The sum of all is 1e7 times larger, so the elements are perturbed in groups.
  const Tensor slopes = Tensor::full({3000}, 1, DType::f64);
  slopes.set(7, 1e7);
  check(slopes, 8);
}

TEST_CASE("if no operation is to blame, the report says how finely they were checked") {
  const CheckReport report = check_gradients(
      [](In x) { return Variable(tanh(x[0]) + Variable(2 * Variable(x[0]).detach())); },
      {random_tensor({3000}, 1)});
  INFO(report.to_string());
  CHECK(!report.passed);
  CHECK(report.cause.find("each operation passes in isolation (") == 0);
  CHECK(
      report.cause.find(", up to 3 elements moved together); look for a value carried outside the "
                        "tape") != std::string::npos);
}

TEST_CASE("a value that is overwritten after it was used") {
  const CheckReport report = check_planted([](const Variable& h) {
    const Variable y = tanh(h), z = y * y;
    y.value().fill(0.5);
    return z;
  });
  INFO(report.to_string());
  CHECK(!report.passed);
  REQUIRE(report.culprit.has_value());
  CHECK(report.culprit->kind == Culprit::Kind::value);
  CHECK(report.culprit->place == "model, time step 1");
}

TEST_CASE("mistakes after and inside of checkpoints are found") {
  const auto mistaken = [](const Variable& h) { return elementwise_planted<Mistake::sign>(h); };
  check_blamed(check_planted([&](const Variable& h) {
                 return mistaken(checkpoint([](In in) { return tanh(2 * in[0]); }, {h}));
               }),
               "planted");
  check_blamed(check_planted([&](const Variable& h) {
                 return checkpoint([&](In in) { return mistaken(tanh(2 * in[0])); }, {h});
               }),
               "planted");
  CHECK(check_planted([](const Variable& h) {
          return checkpoint([](In in) { return tanh(2 * in[0]); }, {h});
        }).passed);
}

}  // namespace
}  // namespace hindsight::test
