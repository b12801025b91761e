// Linear recurrent cells: one scan over time has the numbers of single steps, gradients of every
// cell and option, initial values, and bad options.
#include <hindsight/nn/nn.h>

#include "nn/recurrent_support.h"
#include "support.h"

namespace hindsight::test {
namespace {

using nn::Unrolled;
using nn::UnrollOptions;

struct Options {
  nn::RecurrentOptions network{.input = 3, .hidden = 4, .layers = 2, .bidirectional = true};
  std::vector<Size> lengths = {};
  Size steps = 5, batch = 3;
};

/// A network in double with values for its inputs and its initial states.
template <class Network>
struct Case {
  template <class... Arguments>
  explicit Case(const Options& o, const Arguments&... arguments)
      : rng(7), network(o.network, rng, arguments...), lengths(o.lengths) {
    network.to(DType::f64);
    inputs.push_back(random_tensor({o.steps, o.batch, o.network.input}, 1));
    for (const nn::State& state : network.initial_states(o.batch)) {
      parts = state.size();
      for (int k = 0; k < parts; ++k)
        inputs.push_back(random_tensor(state[k].shape(), 20 + inputs.size()));
    }
  }
  nn::States states(In x) const {
    nn::States result;
    for (std::size_t i = 1; i < x.size();) {
      result.emplace_back();
      for (int k = 0; k < parts; ++k) result.back().push_back(x[i++]);
    }
    return result;
  }
  Unrolled run(In x, const UnrollOptions& options) {
    UnrollOptions o = options;
    o.initial = states(x);
    o.lengths = lengths;
    return network(x[0], o);
  }
  /// Outputs, final states, and the states of all steps if asked for.
  Function function(const UnrollOptions& options = {}) {
    return [this, options](In x) {
      const Unrolled result = run(x, options);
      std::vector<Variable> all{everything(result)};
      for (const nn::State& state : result.states) {
        for (int k = 0; k < state.size(); ++k) all.push_back(reshape(state[k], {-1}));
      }
      return concat(all, 0);
    };
  }

  Rng rng;
  Network network;
  std::vector<Size> lengths;
  std::vector<Tensor> inputs;
  int parts = 0;
};

/// Values and gradients of a scan are those of single steps.
template <class Network, class... Arguments>
void check_scan(const char* name, const Options& o, const Arguments&... arguments) {
  INFO(std::string(name));
  Case<Network> c(o, arguments...);
  const auto run = [&](const UnrollOptions& options) {
    return derivatives(c.function(options), c.inputs, c.network.parameters());
  };
  const Derivatives stepped = run({.all_states = true, .step_by_step = true});
  for (const Size checkpoint_every : {0, 2}) {
    INFO("checkpoint_every ", checkpoint_every);
    const Derivatives scanned = run({.checkpoint_every = checkpoint_every, .all_states = true});
    CHECK(relative_difference(scanned.value, stepped.value) < 1e-12);
    for (std::size_t i = 0; i < scanned.gradients.size(); ++i) {
      INFO("gradient ", i);
      CHECK(relative_difference(scanned.gradients[i], stepped.gradients[i]) < 1e-12);
    }
  }
}

/// The same in networks with several layers, directions, lengths and blocks of projected steps, and
/// in steps on their own.
template <class Network, class... Arguments>
void check_steps(const char* name, const Arguments&... arguments) {
  check_scan<Network>(name, {}, arguments...);
  Options o;
  o.lengths = std::vector<Size>{5, 1, 3};
  check_scan<Network>(name, o, arguments...);
  check_scan<Network>(name, {o.network, {}, 7, 200}, arguments...);
  check_scan<Network>(name, {o.network, {}, 1, 2}, arguments...);
  Case<Network> c({{.input = 3, .hidden = 4, .layers = 2}}, arguments...);
  const std::vector<Variable> x(c.inputs.begin(), c.inputs.end());
  const Unrolled whole = c.run(x, {});
  nn::States states = c.states(x);
  for (Size t = 0; t < 5; ++t) {
    nn::Stepped stepped = c.network.step(x[0][t], states);
    CHECK(relative_difference(stepped.output.value(), whole.outputs[t].value()) < 1e-12);
    states = stepped.states;
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    for (int k = 0; k < c.parts; ++k)
      CHECK(relative_difference(states[i][k].value(), whole.final[i][k].value()) < 1e-12);
  }
}

TEST_CASE("a scan over time has the numbers of single steps") {
  check_steps<nn::MinGru>("minGRU");
  check_steps<nn::MinLstm>("minLSTM");
  check_steps<nn::Sru>("SRU");
  check_steps<nn::Sru>("SRU, gates see the state", nn::SruOptions{.gates_see_state = true});
  check_steps<nn::Qrnn>("QRNN");
  check_steps<nn::Qrnn>("QRNN, window 1", nn::QrnnOptions{.window = 1});
  check_steps<nn::Lru>("LRU");
  check_steps<nn::Lru>("LRU, output as wide as the input", nn::LruOptions{.output = 3});
  check_steps<nn::S6>("S6", nn::S6Options{.states = 3});
}

template <class Network, class... Arguments>
void check_gradients_of(const char* name, const Options& o, const Arguments&... arguments) {
  INFO(std::string(name));
  Case<Network> c(o, arguments...);
  check_both_orders(c.function(), c.inputs, c.network.parameters(), 7);
  check_float_like_double(c.function(), c.inputs, c.network.parameters());
}

/// Gradients in all parameters, inputs and initial states.
template <class Network, class... Arguments>
void check_network(const char* name, const Arguments&... arguments) {
  check_gradients_of<Network>(name, {{.input = 3, .hidden = 4}, {}, 4, 2}, arguments...);
  Options o;
  o.lengths = std::vector<Size>{3, 1, 5};
  check_gradients_of<Network>(name, o, arguments...);
}

TEST_CASE("the scan of an LRU over many steps is as exact as single steps") {
  const nn::RecurrentOptions network{.input = 3, .hidden = 16};
  check_scan<nn::Lru>("double", {network, {}, 200, 1}, nn::LruOptions{.r_min = 0.99});
  Case<nn::Lru> c({network, {}, 400, 1}, nn::LruOptions{.r_min = 0.9});
  const std::vector<Variable> inputs(c.inputs.begin(), c.inputs.end());
  const Tensor exact = c.run(inputs, {}).outputs.value();
  c.network.to(DType::f32);
  std::vector<Variable> rounded;
  for (const Tensor& input : c.inputs) rounded.push_back(input.to(DType::f32));
  const auto error = [&](bool step_by_step) {
    const Tensor outputs = c.run(rounded, {.step_by_step = step_by_step}).outputs.value();
    return relative_difference(outputs, exact);
  };
  CHECK(error(true) < 1e-5);
  CHECK(error(false) < 3 * error(true));
}

TEST_CASE("gradients of linear recurrent networks") {
  check_network<nn::MinGru>("minGRU");
  check_network<nn::MinGru>("minGRU, no bias", nn::MinGruOptions{.bias = false, .positive = false});
  check_network<nn::MinLstm>("minLSTM");
  check_network<nn::Sru>("SRU");
  check_network<nn::Sru>("SRU, gates see the state", nn::SruOptions{.gates_see_state = true});
  check_gradients_of<nn::Sru>("SRU, input as wide", {{.input = 4, .hidden = 4}});
  check_network<nn::Qrnn>("QRNN");
  check_network<nn::Qrnn>("QRNN, window 1", nn::QrnnOptions{.window = 1});
  check_network<nn::Lru>("LRU");
  check_network<nn::Lru>("LRU, output as wide as the input", nn::LruOptions{.output = 3});
  check_network<nn::S6>("S6", nn::S6Options{.states = 3, .rank = 2});
}

TEST_CASE("recurrent dropout and zoneout of linear cells") {
  const nn::RecurrentOptions dropped{.input = 3, .hidden = 4, .recurrent_dropout = 0.3},
      zoned{.input = 3, .hidden = 4, .layers = 2, .bidirectional = true, .zoneout = 0.3};
  Rng rng(1);
  const Variable x(random_tensor({4, 2, 3}, 2, DType::f32));
  CHECK(message_of<OptionError>([&] { nn::Sru(dropped, rng)(x); }) ==
        "recurrent dropout needs a cell whose products read State::recurrent(); the step of this "
        "one does not");
  const nn::SruOptions see{.gates_see_state = true};
  CHECK(nn::Sru(dropped, rng, see)(x).outputs.shape() == Shape{4, 2, 4});
  const UnrollOptions ragged{.lengths = {4, 2}};
  CHECK(nn::Sru(zoned, rng, see)(x, ragged).outputs.shape() == Shape{4, 2, 8});
  CHECK(nn::Qrnn(zoned, rng)(x, ragged).outputs.shape() == Shape{4, 2, 8});
  CHECK(nn::Lru(zoned, rng)(x, ragged).outputs.shape() == Shape{4, 2, 8});
  CHECK(nn::S6(zoned, rng)(x, ragged).outputs.shape() == Shape{4, 2, 8});
}

template <class Network, class... Arguments>
void check_symbols(const Arguments&... arguments) {
  for (const Size width : {4, 6}) {
    Rng rng(3);
    Network network({.input = 6, .hidden = width}, rng, arguments...);
    network.to(DType::f64);
    const Indices symbols(std::vector<int>{0, 5, 3, 3, 1, 0}, {3, 2});
    const Unrolled by_symbols = network(symbols),
                   by_vectors = network(Variable(one_hot(symbols, 6, DType::f64)));
    CHECK(relative_difference(by_symbols.outputs.value(), by_vectors.outputs.value()) < 1e-14);
  }
}

TEST_CASE("symbols are one-hot vectors to linear cells") {
  check_symbols<nn::MinGru>();
  check_symbols<nn::MinLstm>();
  check_symbols<nn::Sru>();
  check_symbols<nn::Qrnn>();
}

// ---- Options ------------------------------------------------------------------------------------

TEST_CASE("initial values of linear cells") {
  Rng rng(5);
  const nn::LruCell lru(6, 500, rng, {.r_min = 0.4, .r_max = 0.8, .max_phase = 1});
  for (Size i = 0; i < 500; ++i) {
    const double size = std::exp(-std::exp(lru.nu_log.value().at(i)));
    CHECK(size > 0.399999);
    CHECK(size < 0.800001);
    CHECK(std::exp(lru.theta_log.value().at(i)) <= 1.000001);
    CHECK(std::exp(lru.gamma_log.value().at(i)) ==
          doctest::Approx(std::sqrt(1 - size * size)).epsilon(1e-5));
  }
  const nn::S6Cell s6(6, 40, rng);
  CHECK(s6.state_sizes()[0] == 40 * 16);
  CHECK(s6.x_proj.weight.shape() == Shape{3 + 32, 40});
  for (Size i = 0; i < 40; ++i) {
    const double delta = std::log1p(std::exp(s6.dt_proj.bias.value().at(i)));
    CHECK(delta > 0.999e-3);
    CHECK(delta < 0.1001);
    CHECK(s6.A_log.value().at(i * 16 + 6) == doctest::Approx(std::log(7)));
  }
  const nn::SruCell sru(3, 200, rng, {.gates_see_state = true, .highway_bias = -2});
  const double bound[] = {1, std::sqrt(0.5), std::sqrt(0.5), std::sqrt(1 + 2 * std::exp(-2))};
  for (Size gate = 0; gate < 4; ++gate) {
    double largest = 0;
    for (Size i = 0; i < 600; ++i)
      largest = std::max(largest, std::abs(sru.weight_ih.value().at(gate * 600 + i)));
    CHECK(largest == doctest::Approx(bound[gate]).epsilon(0.02));
  }
}

TEST_CASE("bad options of linear cells") {
  Rng rng(1);
  CHECK(message_of<OptionError>([&] { nn::QrnnCell(2, 3, rng, {.window = 3}); }) ==
        "QrnnCell: window 3; it must be 1 or 2");
  CHECK(message_of<OptionError>([&] { nn::SruCell(2, 3, rng, {.highway_bias = INFINITY}); }) ==
        "SruCell: highway_bias inf is not a finite number of moderate size");
  CHECK(message_of<OptionError>([&] { nn::LruCell(2, 3, rng, {.output = -1}); }) ==
        "LruCell: output -1 is below 0");
  CHECK(message_of<OptionError>([&] { nn::LruCell(2, 3, rng, {.r_min = 1}); }) ==
        "LruCell: r_min 1 and r_max 1; 0 <= r_min < r_max <= 1 is needed");
  CHECK(message_of<OptionError>([&] { nn::LruCell(2, 3, rng, {.max_phase = 0}); }) ==
        "LruCell: max_phase 0; a finite number above 0 is needed");
  CHECK(message_of<OptionError>([&] { nn::S6Cell(2, 3, rng, {.states = 0}); }) ==
        "S6Cell: states 0; at least 1 is needed");
  CHECK(message_of<OptionError>([&] { nn::S6Cell(2, 3, rng, {.rank = -1}); }) ==
        "S6Cell: rank -1 is below 0");
  CHECK(message_of<OptionError>([&] { nn::S6Cell(2, 3, rng, {.delta_min = 0.2}); }) ==
        "S6Cell: delta_min 0.2 and delta_max 0.1; 0 < delta_min <= delta_max is needed");
}

}  // namespace
}  // namespace hindsight::test
