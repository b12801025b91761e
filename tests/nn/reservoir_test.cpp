// Echo state networks: their matrices, values, gradients, memory of the start, and NARMA-10.
#include <hindsight/nn/nn.h>

#include "nn/recurrent_support.h"
#include "support.h"

namespace hindsight::test {
namespace {

using nn::Reservoir;
using nn::ReservoirCell;
using nn::ReservoirOptions;
using nn::Unrolled;

double largest(const Tensor& t) {
  double most = 0;
  for (double x : t.to_vector()) most = std::max(most, std::abs(x));
  return most;
}

TEST_CASE("the matrices of a reservoir") {
  Rng rng(1);
  const ReservoirCell cell(3, 200, rng,
                           {.spectral_radius = 1.3, .input_scale = 0.5, .bias_scale = 0.2});
  const Tensor& w = cell.recurrent_weight();
  CHECK(w.shape() == Shape{200, 200});
  CHECK(std::abs(nn::init::spectral_radius(w) - 1.3) < 1e-6);
  double sum = 0, square_sum = 0;
  for (Size row = 0; row < 200; ++row) {
    Size links = 0;
    for (Size column = 0; column < 200; ++column) links += w.at(row * 200 + column) != 0;
    CHECK(links == 10);
  }
  for (double x : w.to_vector()) {
    sum += x;
    square_sum += x * x;
  }
  // Uniform in [-m, m]: mean 0, variance m^2 / 3, here of 2000 draws.
  const double m = largest(w), variance = square_sum / 2000;
  CHECK(std::abs(sum / 2000) < 5 * std::sqrt(variance / 2000));
  CHECK(std::abs(variance / (m * m / 3) - 1) < 5 * std::sqrt(0.8 / 2000));
  CHECK(cell.input_weight().shape() == Shape{200, 3});
  CHECK(largest(cell.input_weight()) <= 0.5);
  CHECK(largest(cell.input_weight()) > 0.48);
  CHECK(cell.bias().shape() == Shape{200});
  CHECK(largest(cell.bias()) <= 0.2);
  CHECK(largest(cell.bias()) > 0.18);
  CHECK(cell.parameters().empty());
  CHECK(largest(ReservoirCell(3, 20, rng).bias()) == 0);

  Rng same(1), small(2);
  CHECK(same_bits(ReservoirCell(3, 200, same, {.spectral_radius = 1.3}).recurrent_weight(), w));
  const Tensor dense = ReservoirCell(3, 4, small).recurrent_weight();  // fewer units than links
  for (double x : dense.to_vector()) CHECK(x != 0);
}

TEST_CASE("a reservoir equals plain loops") {
  constexpr Size kSteps = 4, kBatch = 3, kInput = 2, kHidden = 6;
  for (const double leak : {1.0, 0.3}) {
    Rng rng(3);
    Reservoir network({.input = kInput, .hidden = kHidden}, rng,
                      ReservoirOptions{.leak = leak, .links = 4, .bias_scale = 0.5});
    const ReservoirCell& cell = network.cell(0);
    const Tensor inputs = random_tensor({kSteps, kBatch, kInput}, 4),
                 start = random_tensor({kBatch, kHidden}, 5);
    const Unrolled run = network(Variable(inputs), {.initial = {{Variable(start)}}});
    CHECK(run.outputs.dtype() == DType::f64);
    for (Size row = 0; row < kBatch; ++row) {
      std::vector<double> x(kHidden);
      for (Size i = 0; i < kHidden; ++i)
        x[static_cast<std::size_t>(i)] = start.at(row * kHidden + i);
      for (Size t = 0; t < kSteps; ++t) {
        std::vector<double> next(kHidden);
        for (Size i = 0; i < kHidden; ++i) {
          double total = cell.bias().at(i);
          for (Size j = 0; j < kInput; ++j)
            total +=
                cell.input_weight().at(i * kInput + j) * inputs.at((t * kBatch + row) * kInput + j);
          for (Size j = 0; j < kHidden; ++j)
            total += cell.recurrent_weight().at(i * kHidden + j) * x[static_cast<std::size_t>(j)];
          const auto unit = static_cast<std::size_t>(i);
          next[unit] = (1 - leak) * x[unit] + leak * std::tanh(total);
          CHECK(std::abs(run.outputs.value().at((t * kBatch + row) * kHidden + i) - next[unit]) <
                1e-14);
        }
        x = next;
      }
    }
  }
}

void check_network(const nn::RecurrentOptions& sizes, const std::vector<Size>& lengths,
                   const ReservoirOptions& options) {
  Rng rng(7);
  Reservoir network(sizes, rng, options);
  CHECK(network.parameters().empty());
  std::vector<Tensor> inputs{random_tensor({5, 3, sizes.input}, 1)};
  for (const nn::State& state : network(Variable(inputs[0])).final)
    inputs.push_back(random_tensor(state[0].shape(), 20 + inputs.size()));
  const Function f = [&](In x) {
    nn::States initial;
    for (std::size_t i = 1; i < x.size(); ++i) initial.push_back({x[i]});
    return everything(network(x[0], nn::UnrollOptions{initial, lengths}));
  };
  check_both_orders(f, inputs);
  check_float_like_double(f, inputs);
}

TEST_CASE("gradients propagate through a reservoir") {
  const nn::RecurrentOptions one{.input = 4, .hidden = 7},
      deep_both{.input = 4, .hidden = 5, .layers = 2, .bidirectional = true};
  check_network(one, {}, {});
  check_network(one, {5, 1, 3}, {.leak = 0.3, .bias_scale = 0.5});
  check_network(deep_both, {}, {.leak = 0.6});
  check_network(deep_both, {3, 1, 5}, {.links = 2});
  nn::RecurrentOptions wrapped = one;
  wrapped.zoneout = 0.2;
  const nn::Evaluation mode;
  check_network(wrapped, {2, 5, 4}, {.leak = 0.5});
}

TEST_CASE("a reservoir runs in the dtype of its inputs, with zeros as initial state") {
  Rng rng(8);
  Reservoir network({.input = 2, .hidden = 30, .layers = 2}, rng, ReservoirOptions{.leak = 0.4});
  const Tensor x = random_tensor({6, 2, 2}, 1);
  const Unrolled wide = network(Variable(x)), narrow = network(Variable(x.to(DType::f32)));
  CHECK(wide.outputs.dtype() == DType::f64);
  CHECK(narrow.outputs.dtype() == DType::f32);
  CHECK(relative_difference(narrow.outputs.value(), wide.outputs.value()) < 1e-6);
  CHECK(relative_difference(network.step(Variable(x)[0]).output.value(), wide.outputs[0].value()) <
        1e-14);
  CHECK(message_of<Error>([&] {
          network(Indices(std::vector<int>{0, 1}, {2, 1}));
        }) == "Recurrent: this cell takes vectors, not symbols: embed them first");
}

TEST_CASE("a reservoir forgets where it started") {
  Rng rng(9);
  Reservoir network({.input = 1, .hidden = 50}, rng,
                    ReservoirOptions{.spectral_radius = 0.8, .input_scale = 0.5});
  const Variable x(random_tensor({150, 1, 1}, 1));
  const auto from = [&](std::uint64_t seed) {
    return network(x, nn::States{{Variable(random_tensor({1, 50}, seed))}}).outputs.value();
  };
  const Tensor a = from(2), b = from(3);
  const auto distance = [&](Size t) {
    double square = 0;
    for (Size i = 0; i < 50; ++i) square += std::pow(a.at(t * 50 + i) - b.at(t * 50 + i), 2);
    return std::sqrt(square);
  };
  CHECK(distance(0) > 0.1);
  CHECK(distance(75) < 1e-5 * distance(0));
  CHECK(distance(149) < 1e-12 * distance(0));
}

TEST_CASE("recurrent weights may be given") {
  // A ring of Rodan & Tino 2011: each unit is linked to the one before.
  const Tensor ring = Tensor::zeros({5, 5}, DType::f64);
  for (Size i = 0; i < 5; ++i) ring.set(i * 5 + (i + 4) % 5, 3);
  Rng rng(1);
  Reservoir network({.input = 2, .hidden = 5, .layers = 2}, rng,
                    ReservoirOptions{.spectral_radius = 0.7, .recurrent_weight = ring});
  const Tensor w = network.cell(1).recurrent_weight();
  for (Size i = 0; i < 25; ++i)
    CHECK(w.at(i) == doctest::Approx(ring.at(i) != 0 ? 0.7 : 0).epsilon(1e-6));
  CHECK(ring.at(4) == 3);
}

TEST_CASE("wrong options of a reservoir") {
  const auto wrong = [](const ReservoirOptions& options) {
    return message_of<OptionError>([&] {
      Rng rng(1);
      Reservoir network({.input = 2, .hidden = 4}, rng, options);
    });
  };
  CHECK(wrong({.spectral_radius = 0}) ==
        "ReservoirCell: spectral_radius 0; it must be positive and finite");
  CHECK(wrong({.spectral_radius = NAN}) ==
        "ReservoirCell: spectral_radius nan; it must be positive and finite");
  CHECK(wrong({.leak = 0}) == "ReservoirCell: leak 0 is outside of (0, 1]");
  CHECK(wrong({.leak = 1.5}) == "ReservoirCell: leak 1.5 is outside of (0, 1]");
  CHECK(wrong({.links = 0}) == "ReservoirCell: 0 links; each unit needs at least 1");
  CHECK(wrong({.input_scale = -1}) ==
        "ReservoirCell: input_scale -1; it must be positive and finite");
  CHECK(wrong({.bias_scale = INFINITY}) ==
        "ReservoirCell: bias_scale inf; it must be at least 0 and finite");
  // A delay line: each unit is linked to the one before, the first to none.
  const Tensor line = Tensor::zeros({4, 4}, DType::f64);
  for (Size i = 1; i < 4; ++i) line.set(i * 4 + i - 1, 1);
  CHECK(wrong({.recurrent_weight = line}) ==
        "ReservoirCell: recurrent_weight is nilpotent: its spectral radius is 0 and cannot be "
        "rescaled to 0.9");
  Rng rng(1);
  CHECK(message_of<ShapeError>([&] { ReservoirCell(2, 5, rng, {.recurrent_weight = line}); }) ==
        "ReservoirCell: recurrent_weight is (4, 4); (5, 5) is needed");
  CHECK(message_of<NonFiniteError>([&] {
          ReservoirCell(2, 2, rng, {.recurrent_weight = Tensor::full({2, 2}, NAN)});
        }) == "ReservoirCell: recurrent_weight has elements that are not finite");
}

// ---- NARMA-10 -----------------------------------------------------------------------------------

/// Inputs u, uniform in [0, 0.5), and the next value of a system with a memory of ten steps (Atiya
/// & Parlos 2000): y' = 0.3 y + 0.05 y (sum of the last ten y) + 1.5 u[t - 9] u[t] + 0.1.
struct Narma {
  Tensor inputs, targets;  // (T, 1, 1)

  Narma(Size steps, Rng& rng) {
    std::vector<double> u, y{0};
    for (Size t = 0; t < steps; ++t) {
      u.push_back(rng.uniform(0, 0.5));
      double total = 0;
      for (std::size_t i = 0; i < 10 && i < y.size(); ++i) total += y[y.size() - 1 - i];
      const double first = t < 9 ? 0 : u[static_cast<std::size_t>(t) - 9];
      y.push_back(0.3 * y.back() + 0.05 * y.back() * total + 1.5 * first * u.back() + 0.1);
    }
    y.erase(y.begin());
    inputs = Tensor::from(u, {steps, 1, 1}, DType::f64);
    targets = Tensor::from(y, {steps, 1, 1}, DType::f64);
  }
};

constexpr Size kWashout = 200, kSteps = 2000;

Tensor without_washout(const Tensor& x) { return slice(Variable(x), 0, kWashout, kSteps).value(); }

/// The mean squared error of a ridge regression in the second part of the data, over the variance
/// of the targets.
double normalized_error(const Tensor& states, const Tensor& targets, const Tensor& test_states,
                        const Tensor& test_targets) {
  const nn::Linear readout =
      nn::ridge(without_washout(states), without_washout(targets), {.penalty = 1e-9});
  const Tensor y = readout(Variable(without_washout(test_states))).value(),
               wanted = without_washout(test_targets);
  double error = 0, sum = 0, square_sum = 0;
  for (Size t = 0; t < kSteps; ++t) {
    error += std::pow(y.at(t) - wanted.at(t), 2);
    sum += wanted.at(t);
    square_sum += wanted.at(t) * wanted.at(t);
  }
  return error / (square_sum - sum * sum / kSteps);
}

double reservoir_error(Size hidden, std::uint64_t seed) {
  Rng rng(seed);
  const Narma train(kWashout + kSteps, rng), test(kWashout + kSteps, rng);
  Reservoir network({.input = 1, .hidden = hidden}, rng,
                    ReservoirOptions{.input_scale = 0.1, .bias_scale = 0.1});
  const auto states = [&](const Tensor& u) {
    return concat({network(Variable(u)).outputs, Variable(u)}, -1).value();
  };
  return normalized_error(states(train.inputs), train.targets, states(test.inputs), test.targets);
}

/// The last `taps` inputs instead of states.
double delay_line_error(Size taps, std::uint64_t seed) {
  Rng rng(seed);
  const Narma train(kWashout + kSteps, rng), test(kWashout + kSteps, rng);
  const auto states = [&](const Tensor& u) {
    std::vector<Variable> delayed;
    for (Size k = 0; k < taps; ++k)
      delayed.push_back(pad(slice(Variable(u), 0, 0, u.size(0) - k), 0, k, 0));
    return concat(delayed, -1).value();
  };
  return normalized_error(states(train.inputs), train.targets, states(test.inputs), test.targets);
}

TEST_CASE("a reservoir of 100 units predicts NARMA-10") {
  double mean = 0;
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    const double error = reservoir_error(100, seed), line = delay_line_error(40, seed);
    INFO("seed ", seed, ": ", error, ", delay line ", line);
    CHECK(std::abs(line - 0.148) < 0.02);
    CHECK(error < 0.7 * line);
    mean += error / 3;
  }
  // Over 30 seeds the median is 0.076 and the mean 0.082, from 0.05 to 0.21.
  CHECK(std::abs(mean - 0.076) < 0.010);
}

}  // namespace
}  // namespace hindsight::test
