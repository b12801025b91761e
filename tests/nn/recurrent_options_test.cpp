// Options of recurrent networks beside layers, directions and lengths: merging of directions, axes,
// residual connections, learned initial states, all states, single steps, stacks of cells.
#include <hindsight/nn/nn.h>

#include "nn/recurrent_support.h"
#include "support.h"

namespace hindsight::test {
namespace {

using nn::Lstm;
using nn::Merge;
using nn::RecurrentOptions;
using nn::Unrolled;

constexpr Size kSteps = 5, kBatch = 3, kInput = 4, kHidden = 6;
const std::vector<Size> kLengths{3, 5, 1};

template <class Network = Lstm, class... Arguments>
Network make(RecurrentOptions options, const Arguments&... arguments) {
  options.input = kInput;
  options.hidden = kHidden;
  Rng rng(3);
  Network network(options, rng, arguments...);
  network.to(DType::f64);
  return network;
}

Variable inputs() { return Variable(random_tensor({kSteps, kBatch, kInput}, 8)); }

TEST_CASE("the outputs of both directions are merged") {
  const Unrolled joined = make<>({.bidirectional = true})(inputs(), {.lengths = kLengths});
  const auto sides = split(joined.outputs, {kHidden, kHidden}, -1);
  const auto merged = [&](Merge merge) {
    return make<>({.bidirectional = true, .merge = merge})(inputs(), {.lengths = kLengths})
        .outputs.value();
  };
  CHECK(relative_difference(merged(Merge::sum), Variable(sides[0] + sides[1]).value()) < 1e-14);
  CHECK(relative_difference(merged(Merge::mean), Variable(0.5 * (sides[0] + sides[1])).value()) <
        1e-14);
  CHECK(relative_difference(merged(Merge::mul), Variable(sides[0] * sides[1]).value()) < 1e-14);
  Lstm deep = make<>({.layers = 2, .bidirectional = true, .merge = Merge::sum});
  CHECK(deep.cell(1).weight_ih.shape() == Shape{4 * kHidden, kHidden});
  CHECK(deep.output_size() == kHidden);
  check_both_orders([&](In x) { return everything(deep(x[0], {.lengths = kLengths})); },
                    {inputs().value()}, deep.parameters(), 5);
}

TEST_CASE("with batch_first, only the axes of inputs and outputs differ") {
  Lstm time_first = make<>({.layers = 2, .bidirectional = true}),
       batch_first = make<>({.layers = 2, .bidirectional = true, .batch_first = true});
  for (const std::vector<Size>& lengths : {std::vector<Size>{}, kLengths}) {
    const Unrolled a = time_first(inputs(), {.lengths = lengths, .all_states = true}),
                   b = batch_first(transpose(inputs(), 0, 1),
                                   {.lengths = lengths, .all_states = true});
    CHECK(same_bits(a.outputs.value(), transpose(b.outputs, 0, 1).value()));
    for (std::size_t i = 0; i < a.final.size(); ++i) {
      CHECK(same_bits(a.final[i][1].value(), b.final[i][1].value()));
      CHECK(same_bits(a.states[i][1].value(), transpose(b.states[i][1], 0, 1).value()));
    }
  }
  const Indices symbols(std::vector<int>{0, 3, 1, 2, 2, 1}, {3, 2}),
      transposed(std::vector<int>{0, 1, 2, 3, 2, 1}, {2, 3});
  for (const std::vector<Size>& lengths : {std::vector<Size>{}, {2, 3}}) {
    CHECK(
        same_bits(time_first(symbols, {.lengths = lengths}).outputs.value(),
                  transpose(batch_first(transposed, {.lengths = lengths}).outputs, 0, 1).value()));
  }
}

TEST_CASE("a network in reverse is the reverse direction of a bidirectional one") {
  Rng rng(3);
  nn::Gru both({.input = kInput, .hidden = kHidden, .bidirectional = true}, rng),
      reverse({.input = kInput, .hidden = kHidden, .reverse = true}, rng);
  both.to(DType::f64);
  reverse.to(DType::f64);
  const auto parameters = both.named_parameters();
  for (const auto& [name, parameter] : reverse.named_parameters()) {
    for (const auto& [other, value] : parameters) {
      if (other == name + "_reverse") Parameter(parameter).assign(value.value());
    }
  }
  for (const std::vector<Size>& lengths : {std::vector<Size>{}, kLengths}) {
    const Unrolled a = both(inputs(), {.lengths = lengths}),
                   b = reverse(inputs(), {.lengths = lengths});
    CHECK(same_bits(slice(a.outputs, -1, kHidden, kHidden).value(), b.outputs.value()));
    CHECK(same_bits(a.final[1][0].value(), b.final[0][0].value()));
  }
}

TEST_CASE("residual layers add their inputs") {
  Lstm residual = make<>({.layers = 2, .residual = true}), plain = make<>({.layers = 2}),
       first = make<>({});
  const Variable lower = first(inputs()).outputs;
  CHECK(relative_difference(residual(inputs()).outputs.value(),
                            Variable(plain(inputs()).outputs + lower).value()) < 1e-14);
  check_both_orders([&](In x) { return everything(residual(x[0], {.lengths = kLengths})); },
                    {inputs().value()}, residual.parameters(), 5);
}

TEST_CASE("all states are those of the single steps, zeros after the end") {
  Lstm lstm = make<>({.layers = 2, .bidirectional = true});
  for (const Size every : {0, 2}) {
    const Unrolled run =
        lstm(inputs(), {.lengths = kLengths, .checkpoint_every = every, .all_states = true});
    REQUIRE(run.states.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      for (int k = 0; k < 2; ++k) {
        const Tensor all = run.states[i][k].value(), end = run.final[i][k].value();
        REQUIRE(all.shape() == Shape{kSteps, kBatch, kHidden});
        for (Size row = 0; row < kBatch; ++row) {
          const Size length = kLengths[static_cast<std::size_t>(row)];
          const Size last = i % 2 == 0 ? length - 1 : 0;
          for (Size u = 0; u < kHidden; ++u) {
            CHECK(all.at((last * kBatch + row) * kHidden + u) == end.at(row * kHidden + u));
            for (Size t = length; t < kSteps; ++t)
              CHECK(all.at((t * kBatch + row) * kHidden + u) == 0);
          }
        }
      }
    }
    // The outputs are the first part of the last layer's states.
    CHECK(same_bits(run.outputs.value(), concat({run.states[2][0], run.states[3][0]}, -1).value()));
  }
  const auto f = [&](In x) {
    const Unrolled run = lstm(x[0], {.lengths = kLengths, .all_states = true});
    std::vector<Variable> cells;
    for (const nn::State& state : run.states) cells.push_back(reshape(state[1], {-1}));
    return concat(cells, 0);
  };
  check_both_orders(f, {inputs().value()}, lstm.parameters(), 4);
}

template <class Network>
void check_single_steps(Network network) {
  const Variable x = inputs();
  const Unrolled run = network(x);
  nn::States states;
  for (Size t = 0; t < kSteps; ++t) {
    const nn::Stepped stepped = network.step(x[t], states);
    CHECK(same_bits(stepped.output.value(), run.outputs[t].value()));
    states = stepped.states;
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    for (int k = 0; k < states[i].size(); ++k)
      CHECK(same_bits(states[i][k].value(), run.final[i][k].value()));
  }
}

TEST_CASE("single steps give the bits of an unrolled run") {
  check_single_steps(make<>({.layers = 2}));
  check_single_steps(make<>({.layers = 2, .residual = true, .learned_initial = true}));
  check_single_steps(make<nn::Rnn>({.layers = 3}));
  check_single_steps(make<nn::Gru>({.layers = 2}));
  Lstm lstm = make<>({.layers = 2});
  const Indices symbols(std::vector<int>{0, 3, 1, 2, 2, 1}, {3, 2});
  const Unrolled run = lstm(symbols);
  nn::States states;
  for (Size t = 0; t < 3; ++t) {
    const nn::Stepped stepped = lstm.step(symbols.row(t), states);
    CHECK(same_bits(stepped.output.value(), run.outputs[t].value()));
    states = stepped.states;
  }
}

TEST_CASE("initial states can be learned") {
  Lstm lstm = make<>({.layers = 2, .bidirectional = true, .learned_initial = true});
  std::vector<std::string> names;
  for (const auto& [name, parameter] : lstm.named_parameters()) {
    if (name.rfind("initial", 0) == 0) names.push_back(name);
  }
  CHECK(names == std::vector<std::string>{"initial_0_l0", "initial_1_l0", "initial_0_l0_reverse",
                                          "initial_1_l0_reverse", "initial_0_l1", "initial_1_l1",
                                          "initial_0_l1_reverse", "initial_1_l1_reverse"});
  CHECK(same_bits(lstm(inputs()).outputs.value(),
                  make<>({.layers = 2, .bidirectional = true})(inputs()).outputs.value()));
  Rng rng(5);
  for (const auto& [name, parameter] : lstm.named_parameters()) {
    if (name.rfind("initial", 0) == 0)
      Parameter(parameter).assign(random_tensor(parameter.shape(), rng.bits()));
  }
  check_both_orders([&](In x) { return everything(lstm(x[0], {.lengths = kLengths})); },
                    {inputs().value()}, lstm.parameters(), 5);
}

TEST_CASE("a stack has layers of different cells") {
  Rng rng(4);
  nn::Stack stack({.input = kInput, .bidirectional = true}, rng);
  stack.add<nn::GruCell>(5, rng).add<nn::LstmCell>(6, rng, nn::LstmOptions{.projection = 2});
  stack.add<nn::RnnCell>(3, rng);
  stack.to(DType::f64);
  CHECK(stack.output_size() == 6);
  CHECK(stack.cell(2).state_sizes() == nn::Widths{3});
  const Unrolled run = stack(inputs(), {.lengths = kLengths});
  CHECK(run.outputs.shape() == Shape{kSteps, kBatch, 6});
  CHECK(run.final[2][0].shape() == Shape{kBatch, 2});
  CHECK(run.final[2][1].shape() == Shape{kBatch, 6});
  check_both_orders([&](In x) { return everything(stack(x[0], {.lengths = kLengths})); },
                    {inputs().value()}, stack.parameters(), 5);
}

/// Gives another shape than its state has.
struct WrongCell : nn::Cell {
  Size hidden;
  Shape returned;
  WrongCell(Size, Size h, Rng&, const Shape& shape) : hidden(h), returned(shape) {}
  nn::State step(const Variable&, const nn::State&) const override {
    return {Variable(Tensor::zeros(returned))};
  }
  nn::Widths state_sizes() const override { return {hidden}; }
};

TEST_CASE("a step of the wrong shape is named") {
  Rng rng(1);
  const Variable x(random_tensor({2, 3, 4}, 1, DType::f32));
  const auto message = [&](const Shape& shape) {
    nn::Recurrent<WrongCell> network({.input = 4, .hidden = 5}, rng, shape);
    return message_of<ShapeError>([&] { network(x); });
  };
  const std::string rest =
      "WrongCell, Recurrent, layer 0, time step 0, returned part 0 of its state as ";
  CHECK(message({3, 4}).find(rest + "(3, 4); (3, 5) is needed") != std::string::npos);
  CHECK(message({1, 5}).find(rest + "(1, 5); (3, 5) is needed") != std::string::npos);
  CHECK(message({5}).find(rest + "(5,); (3, 5) is needed") != std::string::npos);
}

TEST_CASE("bad options and inputs of single steps") {
  Rng rng(1);
  Lstm both({.input = 2, .hidden = 3, .bidirectional = true}, rng);
  Lstm lstm({.input = 2, .hidden = 3}, rng);
  const Variable x(random_tensor({4, 2}, 1, DType::f32));
  CHECK(message_of<OptionError>([&] { both.step(x); }) ==
        "Recurrent: a network that reads from the end cannot take single steps");
  CHECK(message_of<ShapeError>([&] {
          lstm.step(Variable(random_tensor({4, 3}, 1)));
        }) == "Recurrent: the input of a step is (4, 3); (batch, 2) is needed");
  CHECK(message_of<ShapeError>([&] { lstm.step(x, lstm.initial_states(3)); }) ==
        "Recurrent: part 0 of initial state 0 is (3, 3); (4, 3) is needed");
  nn::Stack empty({.input = 2}, rng);
  CHECK(message_of<Error>([&] { empty.step(x); }) ==
        "Recurrent: the network has no cells: add some first");
  CHECK(message_of<OptionError>([&] { Lstm bad({.input = 2, .hidden = 3, .zoneout = 1}, rng); }) ==
        "Recurrent: zoneout 1 is outside of [0, 1)");
  CHECK(message_of<OptionError>([&] {
          nn::Stack stack({.input = 2, .residual = true}, rng);
          stack.add<nn::GruCell>(1, rng).add<nn::GruCell>(3, rng);
        }) == "Recurrent: residual layer 1 is 3 wide, its input 1: they cannot be added");
}

}  // namespace
}  // namespace hindsight::test
