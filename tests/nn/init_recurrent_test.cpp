// Initial values of recurrent networks: links, gates, biases by length, Pascanu's.
#include <hindsight/nn/nn.h>

#include <set>

#include "support.h"

namespace hindsight::test {
namespace {

namespace init = nn::init;

/// Unlike doctest's Approx, which adds 1 to the magnitude.
double relative_error(double got, double wanted) { return std::abs(got / wanted - 1); }

double deviation_of(const Tensor& t) {
  double square_sum = 0;
  for (double x : t.to_vector()) square_sum += x * x;
  return std::sqrt(square_sum / static_cast<double>(t.elements()));
}

Size links_in_row(const Tensor& t, Size row) {
  Size links = 0;
  for (Size column = 0; column < t.size(1); ++column) links += t.at(row * t.size(1) + column) != 0;
  return links;
}

TEST_CASE("sparse matrices have a fixed number of links per row") {
  Rng rng(5);
  const Size rows = 400, columns = 50, links = 15;
  const Tensor t = init::sparse({rows, columns}, links, 0.3, rng);
  std::vector<double> of_column(static_cast<std::size_t>(columns));
  for (Size row = 0; row < rows; ++row) {
    CHECK(links_in_row(t, row) == links);
    for (Size column = 0; column < columns; ++column) {
      of_column[static_cast<std::size_t>(column)] += t.at(row * columns + column) != 0;
    }
  }
  // Of a column: binomial with 400 draws of probability 0.3, mean 120, deviation 9.2.
  for (double count : of_column) CHECK(std::abs(count - 120) < 5 * 9.2);
  CHECK(relative_error(deviation_of(t), 0.3 * std::sqrt(0.3)) < 0.04);
  const Tensor full = init::sparse({7, 4}, 4, 1, rng), single = init::sparse({7, 4}, 1, 1, rng);
  for (Size row = 0; row < 7; ++row) {
    CHECK(links_in_row(full, row) == 4);
    CHECK(links_in_row(single, row) == 1);
  }
  double next = 0;
  const Tensor counted = init::sparse(
      {2, 3}, 2, [&] { return ++next; }, rng);
  CHECK(counted.at(0) + counted.at(1) + counted.at(2) == 1 + 2);
  CHECK(counted.at(3) + counted.at(4) + counted.at(5) == 3 + 4);
}

TEST_CASE("every gate is drawn for itself") {
  Rng rng(6);
  const Size hidden = 24;
  const Tensor w = init::per_gate(4, {4 * hidden, hidden},
                                  [&](const Shape& gate) { return init::orthogonal(gate, rng); });
  CHECK(w.shape() == Shape{4 * hidden, hidden});
  CHECK(w.dtype() == DType::f32);
  std::set<double> first;
  for (Size gate = 0; gate < 4; ++gate) {
    const Variable u(w.view(w.layout().slice(0, gate * hidden, hidden)).to(DType::f64));
    CHECK(relative_difference(matmul(u, transpose(u)).value(),
                              init::identity(hidden).to(DType::f64)) < 1e-6);
    first.insert(u.value().at(0));
  }
  CHECK(first.size() == 4);
  const Tensor bias = init::per_gate(3, {6}, [&, gate = 0.0](const Shape& shape) mutable {
    return init::constant(shape, ++gate);
  });
  CHECK(bias.to_vector() == std::vector<double>{1, 1, 2, 2, 3, 3});
}

TEST_CASE("chrono biases are those of memories up to a length") {
  Rng rng(9);
  const Size hidden = 20000, longest = 101;
  const Tensor b = init::chrono(hidden, longest, rng);
  CHECK(b.shape() == Shape{hidden});
  double mean = 0, least = 1, most = 0;
  for (double x : b.to_vector()) {
    const double gate = 1 / (1 + std::exp(-x));
    mean += std::exp(x) / static_cast<double>(hidden);
    least = std::min(least, gate);
    most = std::max(most, gate);
  }
  CHECK(relative_error(mean, 50.5) < 0.02);  // of u, uniform in [1, 100)
  CHECK(least >= 0.5);
  CHECK(least < 0.51);
  CHECK(most <= 1 - 1 / 101.0 + 1e-7);
  CHECK(most > 1 - 1 / 100.0);
  CHECK(init::chrono(3, 2, rng).to_vector() == std::vector<double>{0, 0, 0});

  Rng first(1), second(1);
  const std::vector<double> forget = init::chrono(5, 30, first).to_vector();
  const std::vector<double> all = init::chrono_lstm(5, 30, second).to_vector();
  REQUIRE(all.size() == 20);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(all[i] == -forget[i]);
    CHECK(all[5 + i] == forget[i]);
    CHECK(all[10 + i] == 0);
    CHECK(all[15 + i] == 0);
  }
}

TEST_CASE("chrono biases hold an LSTM's cell state for their length") {
  Rng rng(2);
  const Size hidden = 6;
  nn::LstmCell cell(1, hidden, rng);
  for (Parameter p : {cell.weight_ih, cell.weight_hh, cell.bias_hh})
    p.assign(init::zeros(p.shape()));
  const Tensor bias = init::chrono_lstm(hidden, 40, rng);
  cell.bias_ih.assign(bias);
  const nn::State state{Variable(init::zeros({1, hidden})),
                        Variable(init::constant({1, hidden}, 1))};
  const Variable c = cell.step(cell.project(Variable(init::zeros({1, 1}))), state)[1];
  for (Size i = 0; i < hidden; ++i) {
    CHECK(relative_error(c.value().at(i), 1 / (1 + std::exp(-bias.at(hidden + i)))) < 1e-6);
  }
}

TEST_CASE("networks of Pascanu et al.") {
  Rng rng(10);
  const init::PascanuSizes sizes{60, 50, 40};
  for (init::Pascanu scheme :
       {init::Pascanu::sigmoid, init::Pascanu::basic_tanh, init::Pascanu::smart_tanh}) {
    const auto w = init::pascanu(scheme, sizes, rng);
    CHECK(w.weight_ih.shape() == Shape{50, 60});
    CHECK(w.weight_hh.shape() == Shape{50, 50});
    CHECK(w.weight_ho.shape() == Shape{40, 50});
    const double deviation = scheme == init::Pascanu::basic_tanh ? 0.1 : 0.01;
    CHECK(relative_error(deviation_of(w.weight_ih), deviation) < 0.06);
    CHECK(relative_error(deviation_of(w.weight_ho), deviation) < 0.06);
    const double radius = init::spectral_radius(w.weight_hh);
    if (scheme == init::Pascanu::smart_tanh) {
      CHECK(relative_error(radius, 0.95) < 1e-6);
      for (Size row = 0; row < 50; ++row) CHECK(links_in_row(w.weight_hh, row) == 15);
    } else {
      CHECK(relative_error(deviation_of(w.weight_hh), deviation) < 0.06);
      CHECK(relative_error(radius, deviation * std::sqrt(50.0)) < 0.25);
    }
  }
  const auto small = init::pascanu(init::Pascanu::smart_tanh, {2, 4, 1}, rng);
  for (Size row = 0; row < 4; ++row) CHECK(links_in_row(small.weight_hh, row) == 4);
}

TEST_CASE("wrong arguments of initialisers") {
  Rng rng(1);
  const auto rejects = [](const char* text, auto type, auto&& f) {
    CHECK(message_of<decltype(type)>(f) == text);
  };
  const ShapeError shape("");
  const OptionError option("");
  rejects("init::sparse: shape (3,); a matrix is needed", shape,
          [&] { init::sparse({3}, 1, 1, rng); });
  rejects("init::sparse: 4 links per row of 3 columns; they must be in [1, 3]", option, [&] {
    init::sparse({5, 3}, 4, 1, rng);
  });
  rejects("init::sparse: 0 links per row of 3 columns; they must be in [1, 3]", option, [&] {
    init::sparse({5, 3}, 0, 1, rng);
  });
  for (double bad : {0.0, -1.0}) {
    rejects(bad == 0 ? "init::sparse: deviation 0; it must be positive and finite"
                     : "init::sparse: deviation -1; it must be positive and finite",
            option, [&] {
              init::sparse({5, 3}, 1, bad, rng);
            });
  }
  rejects("init::per_gate: 0 gates; at least 1 is needed", option, [] {
    init::per_gate(0, {4, 2}, [](const Shape& gate) { return init::zeros(gate); });
  });
  rejects("init::per_gate: shape (5, 2) for 4 gates; the rows must be a multiple of them", shape,
          [] {
            init::per_gate(4, {5, 2}, [](const Shape& gate) { return init::zeros(gate); });
          });
  rejects("init::per_gate: gate 0 has the shape (3,); (2, 2) is needed", shape, [] {
    init::per_gate(2, {4, 2}, [](const Shape&) { return init::zeros({3}); });
  });
  rejects("init::chrono: the longest memory is of 1 time steps; at least 2 are needed", option,
          [&] { init::chrono_lstm(3, 1, rng); });
  rejects("init::pascanu: input 2, hidden 0, output 1; each must be at least 1", option,
          [&] { init::pascanu(init::Pascanu::sigmoid, {.input = 2, .output = 1}, rng); });
}

}  // namespace
}  // namespace hindsight::test
