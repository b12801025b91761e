#include <doctest/doctest.h>

#include <cmath>

#include "handwritten_step.h"

using namespace hindsight::bench;

namespace {

constexpr double kStep = 1e-5;       // central difference in double: truncation ~1e-10
constexpr double kTolerance = 1e-7;  // of the largest gradient of the parameter
constexpr double kSmall = 1e-3;      // gradients below count as this: rounding of the loss is 1e-11

/// Largest difference between gradients and central differences, relative to the largest gradient.
double gradient_error(HandwrittenStep<double>& network, const std::string& name) {
  network.backward();
  const std::vector<double> gradient = network.gradients().at(name);
  double worst = 0, largest = 0;
  for (std::size_t k = 0; k < gradient.size(); ++k) {
    const auto loss_at = [&](double offset) {
      network.parameter(name)[k] += offset;
      network.refresh();
      const double loss = network.loss();
      network.parameter(name)[k] -= offset;
      return loss;
    };
    const double numeric = (loss_at(kStep) - loss_at(-kStep)) / (2 * kStep);
    worst = std::max(worst, std::abs(numeric - gradient[k]));
    largest = std::max(largest, std::abs(gradient[k]));
  }
  network.refresh();
  return worst / std::max(largest, kSmall);
}

// B below and above the point where the input is multiplied step by step; V below and above the
// point where logits are stored by class; H with every kind of row tail.
const Shape kShapes[] = {{4, 3, 5, 7}, {3, 9, 35, 18}, {2, 1, 2, 1}, {5, 8, 3, 33}};

}  // namespace

TEST_CASE("the hand-written step has the right gradients") {
  for (const std::string model : {"lstm", "rnn", "gru"}) {
    for (const Shape& shape : kShapes) {
      const auto network = handwritten<double>(make_problem(model, shape, 1));
      for (const auto& parameter : parameter_shapes(model, shape.I, shape.H)) {
        CAPTURE(model);
        CAPTURE(shape.H);
        CAPTURE(parameter.name);
        CHECK(gradient_error(*network, parameter.name) < kTolerance);
      }
    }
  }
}

TEST_CASE("the hand-written step is the same in float and double") {
  for (const std::string model : {"lstm", "rnn", "gru"}) {
    for (const Shape& shape : kShapes) {
      CAPTURE(model);
      CAPTURE(shape.H);
      const Problem problem = make_problem(model, shape, 2);
      const auto narrow = handwritten<float>(problem);
      const auto wide = handwritten<double>(problem);
      for (int step = 0; step < 3; ++step) {
        CHECK(narrow->step() == doctest::Approx(wide->step()).epsilon(1e-5));
        const auto expected = wide->gradients();
        for (const auto& named : narrow->gradients()) {
          const auto& [name, gradient] = named;
          CAPTURE(named.first);
          double worst = 0;
          for (std::size_t k = 0; k < gradient.size(); ++k) {
            worst =
                std::max(worst, std::abs(static_cast<double>(gradient[k]) - expected.at(name)[k]));
          }
          CHECK(worst < 1e-6);
        }
      }
    }
  }
}

TEST_CASE("the hand-written step does what the library's does") {
  for (const std::string model : {"lstm", "rnn", "gru"}) {
    for (const Shape& shape : kShapes) {
      CAPTURE(model);
      CAPTURE(shape.H);
      const Problem problem = make_problem(model, shape, 4);
      const auto network = handwritten<float>(problem);
      const auto library = library_step(problem);
      for (int step = 0; step < 4; ++step)
        CHECK(network->step() == doctest::Approx(library->step()).epsilon(1e-5));
    }
  }
}

TEST_CASE("ragged batches in any order have the same loss") {
  for (const std::string model : {"lstm", "custom"}) {
    const auto steps = ragged_steps(make_problem(model, {9, 6, 5, 7}, 5));
    REQUIRE(steps.size() == 3);
    steps[0].step();
    for (int step = 0; step < 3; ++step)
      CHECK(steps[1].step() == doctest::Approx(steps[2].step()).epsilon(1e-5));
  }
}

TEST_CASE("a cell with everything in its step does what one with a projection does") {
  const Problem problem = make_problem("custom", {6, 4, 5, 7}, 6);
  const auto well = user_step(problem), naive = naive_step(problem);
  for (int step = 0; step < 3; ++step)
    CHECK(well->step() == doctest::Approx(naive->step()).epsilon(1e-5));
}

TEST_CASE("the hand-written step learns") {
  Problem problem = make_problem("lstm", {10, 16, 6, 20}, 3);
  problem.learning_rate = 0.5;
  const auto network = handwritten<float>(problem);
  const double before = network->step();
  for (int step = 0; step < 50; ++step) network->step();
  CHECK(network->loss() < before - 0.01);
}
