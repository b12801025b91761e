// The optimizers against the update rules written out for scalars, and the pipeline around them.
#include <hindsight/optim/optim.h>

#include "support.h"

namespace hindsight::test {
namespace {

using optim::Adam;
using optim::AdamOptions;
using optim::AdamW;
using optim::OnNonFinite;
using optim::Report;
using optim::Sgd;
using optim::SgdOptions;

constexpr Size kElements = 19;

/// A parameter whose gradient the test chooses.
struct Subject {
  Parameter parameter;
  explicit Subject(DType dtype, std::uint64_t seed = 1, std::string name = "w")
      : parameter(std::move(name), random_tensor({kElements}, seed, dtype)) {}
  void give(const Tensor& gradient) {
    Tape tape;
    tape.backward(sum(parameter * Variable(gradient.to(parameter.dtype()))));
  }
};

Tensor gradient_of_step(int step) {
  return random_tensor({kElements}, static_cast<std::uint64_t>(100 + step), DType::f64, -2, 2);
}

/// Runs an optimizer and a scalar rule rule(w, g, step, memory) side by side.
template <class MakeOptimizer, class Rule>
void compare(const char* name, MakeOptimizer&& make, Rule&& rule) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    INFO(std::string(name), " ", std::string(hindsight::name(dtype)));
    Subject subject(dtype);
    auto optimizer = make(std::vector<Parameter>{subject.parameter});
    std::vector<double> w = subject.parameter.value().to_vector();
    std::vector<std::array<double, 3>> memory(w.size());
    for (int step = 1; step <= 7; ++step) {
      const Tensor g = gradient_of_step(step);
      subject.give(g);
      optimizer.step();
      for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = rule(w[i], g.at(static_cast<Size>(i)), step, memory[i]);
      CHECK(
          relative_difference(subject.parameter.value(), Tensor::from(w, {kElements}, DType::f64)) <
          (dtype == DType::f32 ? 1e-6 : 1e-14));
    }
    CHECK(optimizer.steps() == 7);
  }
}

using Memory = std::array<double, 3>;

TEST_CASE("stochastic gradient descent") {
  const auto with = [](const SgdOptions& options) {
    return [=](const std::vector<Parameter>& p) { return Sgd(p, options); };
  };
  compare("plain", with({.learning_rate = 0.1}),
          [](double w, double g, int, Memory&) { return w - 0.1 * g; });
  compare("weight decay", with({.learning_rate = 0.1, .weight_decay = 0.3}),
          [](double w, double g, int, Memory&) { return w - 0.1 * (g + 0.3 * w); });
  compare("momentum", with({.learning_rate = 0.1, .momentum = 0.8, .weight_decay = 0.3}),
          [](double w, double g, int, Memory& m) {
            m[0] = 0.8 * m[0] + g + 0.3 * w;
            return w - 0.1 * m[0];
          });
  compare("dampened momentum", with({.learning_rate = 0.1, .momentum = 0.8, .dampening = 0.4}),
          [](double w, double g, int step, Memory& m) {
            m[0] = step == 1 ? g : 0.8 * m[0] + 0.6 * g;
            return w - 0.1 * m[0];
          });
  compare("nesterov",
          with({.learning_rate = 0.1, .momentum = 0.8, .weight_decay = 0.3, .nesterov = true}),
          [](double w, double g, int, Memory& m) {
            const double d = g + 0.3 * w;
            m[0] = 0.8 * m[0] + d;
            return w - 0.1 * (d + 0.8 * m[0]);
          });
  compare("L2", with({.learning_rate = 0.1, .regularizers = {{0.2}, {0.1}}}),
          [](double w, double g, int, Memory&) { return w - 0.1 * (g + 0.3 * w); });
}

double adam(double w, double g, int step, Memory& m, double epsilon = 1e-8, bool amsgrad = false) {
  m[0] = 0.9 * m[0] + 0.1 * g;
  m[1] = 0.999 * m[1] + 0.001 * g * g;
  m[2] = amsgrad ? std::max(m[2], m[1]) : m[1];
  const double first = m[0] / (1 - std::pow(0.9, step)),
               second = m[2] / (1 - std::pow(0.999, step));
  return w - 0.05 * first / (std::sqrt(second) + epsilon);
}

TEST_CASE("Adam and its relatives") {
  const auto with = [](const AdamOptions& options) {
    return [=](const std::vector<Parameter>& p) { return Adam(p, options); };
  };
  compare("adam", with({.learning_rate = 0.05}),
          [](double w, double g, int t, Memory& m) { return adam(w, g, t, m); });
  compare("large epsilon", with({.learning_rate = 0.05, .epsilon = 0.1}),
          [](double w, double g, int t, Memory& m) { return adam(w, g, t, m, 0.1); });
  compare("amsgrad", with({.learning_rate = 0.05, .amsgrad = true}),
          [](double w, double g, int t, Memory& m) { return adam(w, g, t, m, 1e-8, true); });
  compare("weight decay in the gradient", with({.learning_rate = 0.05, .weight_decay = 0.3}),
          [](double w, double g, int t, Memory& m) { return adam(w, g + 0.3 * w, t, m); });
  compare(
      "decoupled weight decay",
      [](const std::vector<Parameter>& p) {
        return AdamW(p, {.learning_rate = 0.05, .weight_decay = 0.3});
      },
      [](double w, double g, int t, Memory& m) { return adam(w * (1 - 0.05 * 0.3), g, t, m); });
  compare(
      "AdamW as it comes", [](const std::vector<Parameter>& p) { return AdamW(p); },
      [](double w, double g, int t, Memory& m) {
        const double moved = adam(0, g, t, m) / 50;  // at 0.001 instead of 0.05
        return w * (1 - 0.001 * 0.01) + moved;
      });
  compare(
      "AdamW with another rate",
      [](const std::vector<Parameter>& p) { return AdamW(p, {.learning_rate = 0.05}); },
      [](double w, double g, int t, Memory& m) { return adam(w * (1 - 0.05 * 0.01), g, t, m); });
  // The largest second moment is remembered: a large gradient once, small ones later.
  for (const bool amsgrad : {false, true}) {
    Subject subject(DType::f64);
    Adam optimizer({subject.parameter}, {.learning_rate = 0.05, .beta2 = 0.5, .amsgrad = amsgrad});
    std::vector<double> moved;
    for (int step = 0; step < 30; ++step) {
      subject.give(Tensor::full({kElements}, step == 0 ? 1000 : 1, DType::f64));
      const double before = subject.parameter.value().at(0);
      optimizer.step();
      moved.push_back(std::abs(subject.parameter.value().at(0) - before));
    }
    CHECK((moved.back() < 1e-2) == amsgrad);
  }
}

/// Steps in float32, then in float64, against the scalar rule.
template <class MakeOptimizer, class Rule>
void compare_over_types(MakeOptimizer&& make, Rule&& rule) {
  Subject subject(DType::f32);
  auto optimizer = make(std::vector<Parameter>{subject.parameter});
  std::vector<double> w = subject.parameter.value().to_vector();
  std::vector<Memory> memory(w.size());
  for (int step = 1; step <= 8; ++step) {
    if (step == 5) subject.parameter.to(DType::f64);
    const Tensor g = gradient_of_step(step);
    subject.give(g);
    optimizer.step();
    for (std::size_t i = 0; i < w.size(); ++i)
      w[i] = rule(w[i], g.at(static_cast<Size>(i)), step, memory[i]);
  }
  CHECK(relative_difference(subject.parameter.value(), Tensor::from(w, {kElements}, DType::f64)) <
        1e-6);
}

TEST_CASE("an optimizer's state is converted when the element type changes") {
  compare_over_types(
      [](const std::vector<Parameter>& p) {
        return Sgd(p, {.learning_rate = 0.1, .momentum = 0.8});
      },
      [](double w, double g, int, Memory& m) {
        m[0] = 0.8 * m[0] + g;
        return w - 0.1 * m[0];
      });
  for (const bool amsgrad : {false, true}) {
    compare_over_types(
        [=](const std::vector<Parameter>& p) {
          return Adam(p, {.learning_rate = 0.05, .amsgrad = amsgrad});
        },
        [=](double w, double g, int t, Memory& m) { return adam(w, g, t, m, 1e-8, amsgrad); });
  }
}

double norm(const Tensor& t) {
  double squares = 0;
  for (double x : t.to_vector()) squares += x * x;
  return std::sqrt(squares);
}

TEST_CASE("clipping by the global norm") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Subject a(dtype, 1, "a"), b(dtype, 2, "b");
    const Tensor ga = random_tensor({kElements}, 3, dtype),
                 gb = random_tensor({kElements}, 4, dtype);
    const double total = std::hypot(norm(ga), norm(gb));
    Sgd sgd({a.parameter, b.parameter}, {.learning_rate = 0.5, .clip_norm = total / 3});
    const Tensor before = b.parameter.value().contiguous_copy();
    a.give(ga);
    b.give(gb);
    const Report report = sgd.step();
    CHECK(report.gradient_norm == doctest::Approx(total).epsilon(1e-7));
    CHECK(report.clipped);
    CHECK(!report.skipped);
    CHECK(!report.shrunk);
    const Variable wanted = Variable(before) - 0.5 / 3 * Variable(gb);
    CHECK(relative_difference(b.parameter.value(), wanted.value()) < 2e-6);
  }
  // A norm at the threshold is not clipped, one slightly above is: 3, 4 -> 5.
  for (const double threshold : {5.0, 4.9999, 0.0}) {
    Parameter w("w", Tensor::from({1, 1}, {2}, DType::f64));
    Sgd sgd({w}, {.learning_rate = 1, .clip_norm = threshold});
    Tape tape;
    tape.backward(sum(w * Variable(Tensor::from({3, 4}, {2}, DType::f64))));
    const Report report = sgd.step();
    CHECK(report.gradient_norm == 5);
    CHECK(report.clipped == (threshold == 4.9999));
    CHECK((w.value().to_vector() == std::vector<double>{-2, -3}) == !report.clipped);
  }
  // The norm is measured with regularizers, and weight decay comes after clipping.
  Parameter w("w", Tensor::from({2, 0}, {2}, DType::f64));
  Sgd sgd({w},
          {.learning_rate = 1, .weight_decay = 0.5, .clip_norm = 2.5, .regularizers = {{0.5}}});
  Tape tape;
  tape.backward(sum(w * Variable(Tensor::from({2, 4}, {2}, DType::f64))));
  CHECK(sgd.step().gradient_norm == 5);  // (2 + 0.5 * 2, 4)
  CHECK(w.value().at(0) == doctest::Approx(2 - 1.5 - 1).epsilon(1e-6));
  CHECK(w.value().at(1) == doctest::Approx(-2).epsilon(1e-6));
}

TEST_CASE("gradients that users see are untouched, and the next sweep starts a new sum") {
  Subject subject(DType::f64);
  Sgd sgd({subject.parameter},
          {.learning_rate = 0.1, .weight_decay = 0.5, .clip_norm = 0.01, .regularizers = {{0.7}}});
  const Tensor g = gradient_of_step(1);
  subject.give(g);
  const Tensor seen = subject.parameter.gradient();
  CHECK(same_bits(seen, g));
  sgd.step();
  CHECK(same_bits(seen, g));
  CHECK(!subject.parameter.has_gradient());
  CHECK(norm(subject.parameter.gradient()) == 0);
  CHECK(same_bits(seen, g));
  const Tensor second = gradient_of_step(2);
  subject.give(second);
  CHECK(same_bits(subject.parameter.gradient(), second));
  subject.give(second);  // two sweeps before a step add up
  CHECK(relative_difference(subject.parameter.gradient(), Variable(2 * Variable(second)).value()) <
        1e-15);
}

TEST_CASE("a parameter without a gradient stays as it is") {
  Subject used(DType::f64, 1, "used"), unused(DType::f64, 2, "unused");
  const Tensor before = unused.parameter.value().contiguous_copy();
  Sgd sgd({used.parameter, unused.parameter},
          {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.1, .regularizers = {{0.1}}});
  Adam adam_optimizer({used.parameter, unused.parameter}, {.weight_decay = 0.1});
  for (int step = 0; step < 3; ++step) {
    used.give(gradient_of_step(step));
    (void)unused.parameter.gradient();  // looking at it does not make one
    sgd.step();
    used.give(gradient_of_step(step));
    adam_optimizer.step();
  }
  CHECK(same_bits(unused.parameter.value(), before));
}

TEST_CASE("gradients that are not finite") {
  for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY),
                           1e200}) {  // 1e200 squared overflows
    for (const OnNonFinite policy : {OnNonFinite::raise, OnNonFinite::skip, OnNonFinite::shrink}) {
      INFO("gradient ", bad);
      Subject good(DType::f64, 1, "good"), poisoned(DType::f64, 2, "layer.weight_hh");
      Sgd sgd({good.parameter, poisoned.parameter},
              {.learning_rate = 0.1, .momentum = 0.9, .clip_norm = 1, .on_non_finite = policy});
      const Tensor before_good = good.parameter.value().contiguous_copy(),
                   before = poisoned.parameter.value().contiguous_copy();
      good.give(gradient_of_step(1));
      Tensor g = gradient_of_step(2);
      g.set(kElements - 1, bad);
      poisoned.give(g);
      if (policy == OnNonFinite::raise) {
        CHECK(message_of<NonFiniteError>([&] { sgd.step(); }) ==
              (bad == 1e200
                   ? "optimizer: the norm of the gradient overflows in step 1"
                   : "optimizer: the gradient of layer.weight_hh is not finite in step 1"));
        CHECK(same_bits(good.parameter.value(), before_good));
        CHECK(same_bits(poisoned.parameter.value(), before));
        CHECK(good.parameter.has_gradient());
        CHECK(sgd.steps() == 0);
        good.parameter.clear_gradient();
        poisoned.parameter.clear_gradient();
      } else {
        const Report report = sgd.step();
        CHECK(!report.clipped);
        CHECK(report.skipped == (policy == OnNonFinite::skip));
        CHECK(report.shrunk == (policy == OnNonFinite::shrink));
        CHECK(!std::isfinite(report.gradient_norm));
        CHECK(sgd.steps() == (policy == OnNonFinite::skip ? 0 : 1));
        const double factor = policy == OnNonFinite::shrink ? 1 - 0.1 * 0.02 : 1;
        CHECK(relative_difference(good.parameter.value(),
                                  Variable(factor * Variable(before_good)).value()) < 1e-15);
        CHECK(relative_difference(poisoned.parameter.value(),
                                  Variable(factor * Variable(before)).value()) < 1e-15);
      }
      // Training continues.
      CHECK(!poisoned.parameter.has_gradient());
      good.give(gradient_of_step(3));
      poisoned.give(gradient_of_step(4));
      const Report report = sgd.step();
      CHECK(std::isfinite(report.gradient_norm));
      for (double x : poisoned.parameter.value().to_vector()) CHECK(std::isfinite(x));
    }
  }
}

TEST_CASE("learning rates change, and a step changes the parameter's version") {
  Parameter w("w", random_tensor({3, 3}, 1));
  Sgd sgd({w}, {.learning_rate = 0.1});
  CHECK(sgd.learning_rate() == 0.1);
  sgd.set_learning_rate(0.5);
  const Tensor before = w.value().contiguous_copy();
  const std::uint64_t version = w.data()->version;
  Tape tape;
  tape.backward(sum(Variable(w)));
  sgd.step();
  CHECK(w.data()->version != version);
  CHECK(relative_difference(w.value(), Variable(Variable(before) - 0.5).value()) < 1e-15);
}

TEST_CASE("options out of range") {
  const std::vector<Parameter> w{Subject(DType::f32).parameter};
  const auto sgd = [&](const SgdOptions& options) {
    return message_of<OptionError>([&] { Sgd(w, options); });
  };
  const auto adam_with = [&](const AdamOptions& options) {
    return message_of<OptionError>([&] { Adam(w, options); });
  };
  CHECK(message_of<OptionError>([] { Sgd({}, {}); }) ==
        "optimizer: there are no parameters to update");
  CHECK(message_of<OptionError>([&] { Sgd({w[0], w[0]}, {}); }) == "optimizer: w is given twice");
  CHECK(sgd({.learning_rate = -1}) ==
        "optimizer: learning rate -1; a finite number of at least 0 is needed");
  CHECK(sgd({.learning_rate = NAN}) ==
        "optimizer: learning rate nan; a finite number of at least 0 is needed");
  CHECK(sgd({.momentum = -0.5}) == "Sgd: momentum -0.5 and weight decay 0 must not be negative");
  CHECK(sgd({.weight_decay = -0.5}) ==
        "Sgd: momentum 0 and weight decay -0.5 must not be negative");
  CHECK(sgd({.nesterov = true}) == "Sgd: nesterov needs a momentum and no dampening");
  CHECK(sgd({.momentum = 0.9, .dampening = 0.1, .nesterov = true}) ==
        "Sgd: nesterov needs a momentum and no dampening");
  CHECK(sgd({.clip_norm = -1}) == "optimizer: clip_norm -1 is negative");
  CHECK(sgd({.regularizers = {{-1}}}) == "optimizer: L2 strength -1 is negative");
  CHECK(adam_with({.beta1 = 1}) == "Adam: beta1 1 and beta2 0.999 must be in [0, 1)");
  CHECK(adam_with({.beta2 = -0.1}) == "Adam: beta1 0.9 and beta2 -0.1 must be in [0, 1)");
  CHECK(adam_with({.epsilon = -1}) == "Adam: epsilon -1 and weight decay 0 must not be negative");
  CHECK(adam_with({.weight_decay = -1}) ==
        "Adam: epsilon 1e-08 and weight decay -1 must not be negative");
  Sgd good(w, {});
  CHECK(message_of<OptionError>([&] { good.set_learning_rate(INFINITY); }) ==
        "optimizer: learning rate inf; a finite number of at least 0 is needed");
}

}  // namespace
}  // namespace hindsight::test
