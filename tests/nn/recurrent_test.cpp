// Recurrent networks: gradients of every cell and option (rows of the gradient table), values
// against plain loops, and properties of padding, lengths, directions and carried states.
#include <hindsight/nn/nn.h>

#include "nn/recurrent_support.h"
#include "support.h"

namespace hindsight::test {
namespace {

using nn::Lstm;
using nn::Rnn;
using nn::Unrolled;
using nn::UnrollOptions;

/// The custom cell of the README: h' = leak h + (1 - leak) tanh(x W + b + h U).
struct LeakyCell : nn::Cell {
  Parameter w, u, b;
  double leak;
  Size hidden;
  LeakyCell(Size input, Size h, Rng& rng, double leak_rate)
      : w(parameter("w", nn::init::glorot({input, h}, rng))),
        u(parameter("u", nn::init::orthogonal({h, h}, rng))),
        b(parameter("b", nn::init::normal({h}, 0.1, rng))),
        leak(leak_rate),
        hidden(h) {}
  Variable project(const Variable& x) const override { return matmul(x, w) + b; }
  nn::State step(const Variable& px, const nn::State& s) const override {
    return {leak * s[0] + (1 - leak) * tanh(px + matmul(s[0], u))};
  }
  nn::Widths state_sizes() const override { return {hidden}; }
};

/// Initial states out of the inputs from `first` on.
nn::States states_from(In x, std::size_t first, std::size_t parts) {
  nn::States states;
  for (std::size_t i = first; i < x.size(); i += parts) {
    states.push_back(parts == 2 ? nn::State{x[i], x[i + 1]} : nn::State{x[i]});
  }
  return states;
}

struct Options {
  nn::RecurrentOptions network{.input = 4, .hidden = 7};
  std::vector<Size> lengths = {};
  Size steps = 5, batch = 3;
};

/// Checks a network in its parameters, its inputs and its initial states.
template <class Network, class... Arguments>
void check_network(const char* name, const Options& o, const Arguments&... arguments) {
  INFO(std::string(name));
  Rng rng(7);
  Network network(o.network, rng, arguments...);
  network.to(DType::f64);
  std::vector<Tensor> inputs{random_tensor({o.steps, o.batch, o.network.input}, 1)};
  const Unrolled shapes = network(Variable(inputs[0]));
  const std::size_t parts = static_cast<std::size_t>(shapes.final[0].size());
  for (const nn::State& state : shapes.final) {
    for (int k = 0; k < state.size(); ++k)
      inputs.push_back(random_tensor(state[k].shape(), 20 + inputs.size()));
  }
  const Function f = [&](In x) {
    return everything(network(x[0], UnrollOptions{states_from(x, 1, parts), o.lengths}));
  };
  check_both_orders(f, inputs, network.parameters(), 7);
  check_float_like_double(f, inputs, network.parameters());
}

TEST_CASE("gradients of recurrent networks") {
  const nn::RecurrentOptions deep{.input = 4, .hidden = 7, .layers = 2},
      both{.input = 4, .hidden = 7, .bidirectional = true},
      deep_both{.input = 4, .hidden = 5, .layers = 2, .bidirectional = true},
      wide{.input = 17, .hidden = 33};
  check_network<Rnn>("rnn", {});
  check_network<Rnn>("rnn relu", {}, nn::RnnOptions{.nonlinearity = nn::Nonlinearity::relu});
  check_network<Rnn>("rnn without bias", {}, nn::RnnOptions{.bias = false});
  check_network<Rnn>("rnn, wide", {wide});
  check_network<Rnn>("rnn, both directions, lengths", {both, {5, 2, 3}});
  check_network<Lstm>("lstm", {});
  check_network<Lstm>("lstm, wide", {wide});
  check_network<Lstm>("lstm, one step", {{.input = 4, .hidden = 7}, {}, 1});
  check_network<Lstm>("lstm, one row", {{.input = 4, .hidden = 7}, {}, 5, 1});
  check_network<Lstm>("lstm, one unit", {{.input = 1, .hidden = 1}, {}, 4, 2});
  check_network<Lstm>("lstm without bias", {}, nn::LstmOptions{.bias = false});
  check_network<Lstm>("lstm with projection", {}, nn::LstmOptions{.projection = 3});
  check_network<Lstm>("lstm with projection, lengths", {deep_both, {2, 5, 4}},
                      nn::LstmOptions{.projection = 3});
  check_network<Lstm>("lstm, two layers", {deep});
  check_network<Lstm>("lstm, both directions", {both});
  check_network<Lstm>("lstm, lengths", {{.input = 4, .hidden = 7}, {1, 5, 3}});
  check_network<Lstm>("lstm, all rows shorter than the steps",
                      {{.input = 4, .hidden = 7}, {1, 2, 3}});
  check_network<Lstm>("lstm, two layers, both directions, lengths", {deep_both, {3, 1, 5}});
  check_network<Lstm>("lstm, projected in several blocks",
                      {{.input = 3, .hidden = 4, .bidirectional = true}, {}, 5, 171});
  check_network<nn::Recurrent<LeakyCell>>("a user's cell", {deep_both, {3, 1, 5}}, 0.3);
  check_network<nn::Recurrent<PlainCell>>(
      "a user's cell without projection",
      {{.input = 6, .hidden = 6, .bidirectional = true}, {3, 1, 5}});
}

TEST_CASE("gradients of a network that reads symbols") {
  Rng rng(3);
  Lstm lstm({.input = 6, .hidden = 5, .layers = 2, .bidirectional = true}, rng);
  lstm.to(DType::f64);
  const Indices symbols(std::vector<int>{0, 5, 3, 3, 1, 0, 2, 2, 5, 4, 3, 0}, {4, 3});
  const std::vector<Size> lengths{4, 2, 3};
  const Function f = [&](In) { return everything(lstm(symbols, UnrollOptions{{}, lengths})); };
  check_both_orders(f, {}, lstm.parameters(), 12);
  check_float_like_double(f, {}, lstm.parameters());
  // The same as vectors with a one.
  lstm.to(DType::f64);
  const Tensor vectors = Tensor::zeros({4, 3, 6}, DType::f64);
  for (Size i = 0; i < 12; ++i) vectors.set(i * 6 + symbols[i], 1);
  const Derivatives by_symbols = derivatives(f, {}, lstm.parameters());
  const Derivatives by_vectors = derivatives(
      [&](In) {
        return everything(lstm(Variable(vectors), UnrollOptions{{}, lengths}));
      },
      {}, lstm.parameters());
  CHECK(relative_difference(by_symbols.value, by_vectors.value) < 1e-14);
  for (std::size_t i = 0; i < by_symbols.gradients.size(); ++i) {
    CHECK(relative_difference(by_symbols.gradients[i], by_vectors.gradients[i]) < 1e-13);
  }
}

// ---- Plain loops --------------------------------------------------------------------------------

using Rows = std::vector<std::vector<double>>;  // [time][unit]

double element(const Parameter& p, Size row, Size column) {
  return p.value().at(row * p.shape().back() + column);
}
double sigma(double x) { return 1 / (1 + std::exp(-x)); }

/// One LSTM layer over one sequence, written as in the equations. `h` and `c` are the initial
/// state, and afterwards the final one.
Rows plain_lstm(const nn::LstmCell& cell, const Rows& x, bool reverse, std::vector<double>* h,
                std::vector<double>* c) {
  const Size n = static_cast<Size>(h->size());
  Rows outputs(x.size());
  for (std::size_t step = 0; step < x.size(); ++step) {
    const std::size_t t = reverse ? x.size() - 1 - step : step;
    const auto gate = [&](Size block, Size unit) {
      const Size row = block * n + unit;
      double total = cell.bias_ih.value().at(row) + cell.bias_hh.value().at(row);
      for (std::size_t j = 0; j < x[t].size(); ++j)
        total += element(cell.weight_ih, row, static_cast<Size>(j)) * x[t][j];
      for (std::size_t j = 0; j < h->size(); ++j)
        total += element(cell.weight_hh, row, static_cast<Size>(j)) * (*h)[j];
      return total;
    };
    std::vector<double> next_h(h->size()), next_c(h->size());
    for (Size u = 0; u < n; ++u) {
      const auto i = static_cast<std::size_t>(u);
      next_c[i] = sigma(gate(1, u)) * (*c)[i] + sigma(gate(0, u)) * std::tanh(gate(2, u));
      next_h[i] = sigma(gate(3, u)) * std::tanh(next_c[i]);
    }
    *h = next_h;
    *c = next_c;
    outputs[t] = next_h;
  }
  return outputs;
}

TEST_CASE("an LSTM with layers, directions and lengths equals plain loops, row by row") {
  constexpr Size kSteps = 6, kBatch = 4, kInput = 3, kHidden = 5;
  Rng rng(11);
  Lstm lstm({.input = kInput, .hidden = kHidden, .layers = 2, .bidirectional = true}, rng);
  lstm.to(DType::f64);
  const Tensor x = random_tensor({kSteps, kBatch, kInput}, 2);
  const std::vector<Size> lengths{6, 1, 4, 3};
  nn::States initial;
  for (int i = 0; i < 4; ++i) {
    initial.push_back(
        {Variable(random_tensor({kBatch, kHidden}, static_cast<std::uint64_t>(30 + i))),
         Variable(random_tensor({kBatch, kHidden}, static_cast<std::uint64_t>(40 + i)))});
  }
  const Unrolled run = lstm(Variable(x), UnrollOptions{initial, lengths});
  REQUIRE(run.outputs.shape() == Shape{kSteps, kBatch, 2 * kHidden});
  double worst = 0;
  for (Size row = 0; row < kBatch; ++row) {
    const Size length = lengths[static_cast<std::size_t>(row)];
    Rows values(static_cast<std::size_t>(length));
    for (Size t = 0; t < length; ++t) {
      for (Size j = 0; j < kInput; ++j)
        values[static_cast<std::size_t>(t)].push_back(x.at((t * kBatch + row) * kInput + j));
    }
    for (Size layer = 0; layer < 2; ++layer) {
      Rows sides[2];
      for (Size d = 0; d < 2; ++d) {
        const auto which = static_cast<std::size_t>(2 * layer + d);
        std::vector<double> h, c;
        for (Size u = 0; u < kHidden; ++u) {
          h.push_back(initial[which][0].value().at(row * kHidden + u));
          c.push_back(initial[which][1].value().at(row * kHidden + u));
        }
        sides[d] = plain_lstm(lstm.cell(layer, d), values, d == 1, &h, &c);
        for (Size u = 0; u < kHidden; ++u) {
          const auto i = static_cast<std::size_t>(u);
          worst =
              std::max({worst, std::abs(run.final[which][0].value().at(row * kHidden + u) - h[i]),
                        std::abs(run.final[which][1].value().at(row * kHidden + u) - c[i])});
        }
      }
      for (std::size_t t = 0; t < values.size(); ++t) {
        values[t] = sides[0][t];
        values[t].insert(values[t].end(), sides[1][t].begin(), sides[1][t].end());
      }
    }
    for (Size t = 0; t < kSteps; ++t) {
      for (Size u = 0; u < 2 * kHidden; ++u) {
        const double wanted =
            t < length ? values[static_cast<std::size_t>(t)][static_cast<std::size_t>(u)] : 0;
        worst = std::max(
            worst, std::abs(run.outputs.value().at((t * kBatch + row) * 2 * kHidden + u) - wanted));
      }
    }
  }
  CHECK(worst < 1e-13);
}

TEST_CASE("RNN values") {
  Rng rng(2);
  for (const nn::Nonlinearity kind : {nn::Nonlinearity::tanh, nn::Nonlinearity::relu}) {
    Rnn rnn({.input = 3, .hidden = 4}, rng, nn::RnnOptions{.nonlinearity = kind});
    rnn.to(DType::f64);
    const Tensor x = random_tensor({5, 2, 3}, 4);
    const Unrolled run = rnn(Variable(x));
    const nn::RnnCell& cell = rnn.cell(0);
    for (Size row = 0; row < 2; ++row) {
      std::vector<double> h(4);
      for (Size t = 0; t < 5; ++t) {
        std::vector<double> next(4);
        for (Size u = 0; u < 4; ++u) {
          double total = cell.bias_ih.value().at(u) + cell.bias_hh.value().at(u);
          for (Size j = 0; j < 3; ++j)
            total += element(cell.weight_ih, u, j) * x.at((t * 2 + row) * 3 + j);
          for (Size j = 0; j < 4; ++j)
            total += element(cell.weight_hh, u, j) * h[static_cast<std::size_t>(j)];
          next[static_cast<std::size_t>(u)] =
              kind == nn::Nonlinearity::tanh ? std::tanh(total) : std::max(0.0, total);
          CHECK(run.outputs.value().at((t * 2 + row) * 4 + u) ==
                doctest::Approx(next[static_cast<std::size_t>(u)]).epsilon(1e-12));
        }
        h = next;
      }
    }
  }
}

TEST_CASE("a cell steps on its own as it does in a layer") {
  Rng rng(2);
  Lstm lstm({.input = 3, .hidden = 4}, rng);
  Rnn rnn({.input = 3, .hidden = 4}, rng);
  const Variable x(random_tensor({1, 2, 3}, 1, DType::f32)),
      h(random_tensor({2, 4}, 2, DType::f32));
  const auto check = [&](nn::Unroller& layer, const nn::Cell& cell, const nn::State& start) {
    const nn::State alone = cell.step(cell.project(x[0]), start);
    const nn::State inside = layer(x, {.initial = {start}}).final[0];
    CHECK(alone.size() == inside.size());
    for (int k = 0; k < inside.size(); ++k)
      CHECK(relative_difference(alone[k].value(), inside[k].value()) < 1e-6);
  };
  check(lstm, lstm.cell(0), {h, h});
  check(rnn, rnn.cell(0), {h});
}

// ---- Properties ---------------------------------------------------------------------------------

TEST_CASE("two runs with a carried state equal one run") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Rng rng(17);
    Lstm lstm({.input = 3, .hidden = 6, .layers = 2}, rng);
    lstm.to(dtype);
    const Variable x(random_tensor({7, 2, 3}, 5, dtype));
    const Unrolled whole = lstm(x), first = lstm(slice(x, 0, 0, 4)),
                   second = lstm(slice(x, 0, 4, 3), first.final);
    const double exact = dtype == DType::f32 ? 1e-6 : 1e-14;
    CHECK(relative_difference(concat({first.outputs, second.outputs}, 0).value(),
                              whole.outputs.value()) < exact);
    CHECK(relative_difference(second.final[1][1].value(), whole.final[1][1].value()) < exact);
  }
}

TEST_CASE("on one tape the gradient is propagated through a carried state") {
  Rng rng(17);
  Lstm lstm({.input = 3, .hidden = 4}, rng);
  lstm.to(DType::f64);
  const auto two_chunks = [&](In x) {
    const Unrolled first = lstm(slice(x[0], 0, 0, 2)),
                   second = lstm(slice(x[0], 0, 2, 3), first.final);
    return everything(second) * sum(first.outputs);
  };
  const auto one = [&](In x) {
    const Unrolled run = lstm(x[0]);
    return concat({reshape(slice(run.outputs, 0, 2, 3), {-1}), reshape(run.final[0][0], {-1}),
                   reshape(run.final[0][1], {-1})},
                  0) *
           sum(slice(run.outputs, 0, 0, 2));
  };
  const std::vector<Tensor> x{random_tensor({5, 2, 3}, 6)};
  check_both_orders(two_chunks, x, lstm.parameters(), 8);
  const Derivatives a = derivatives(two_chunks, x, lstm.parameters()),
                    b = derivatives(one, x, lstm.parameters());
  for (std::size_t i = 0; i < a.gradients.size(); ++i)
    CHECK(relative_difference(a.gradients[i], b.gradients[i]) < 1e-13);
}

}  // namespace
}  // namespace hindsight::test
