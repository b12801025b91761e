// Cells around other cells: recurrent dropout, zoneout, layer normalization, residual outputs.
#include <hindsight/nn/nn.h>

#include "nn/recurrent_support.h"
#include "support.h"

namespace hindsight::test {
namespace {

using nn::Recurrent;
using nn::Unrolled;

constexpr Size kSteps = 4, kBatch = 3, kInput = 5, kHidden = 5;
const std::vector<Size> kLengths{2, 4, 3};

Variable inputs() { return Variable(random_tensor({kSteps, kBatch, kInput}, 8)); }

template <class Network, class... Arguments>
Network make(const nn::RecurrentOptions& options, const Arguments&... arguments) {
  Rng rng(3);
  Network network(options, rng, arguments...);
  network.to(DType::f64);
  return network;
}

const nn::RecurrentOptions kSizes{.input = kInput, .hidden = kHidden};

/// f with the same draws at every call.
std::function<Variable(In)> repeated(const std::function<Variable(In)>& f) {
  auto run = std::make_shared<RandomRun>();
  auto first = std::make_shared<bool>(true);
  return [=](In x) {
    if (std::exchange(*first, false)) {
      const RandomRun::Noted noted(run.get());
      return f(x);
    }
    const RandomRun::Repeated again(run.get());
    return f(x);
  };
}

template <class Network>
void check(Network network) {
  check_both_orders(
      repeated([&](In x) { return everything(network(x[0], {.lengths = kLengths})); }),
      {inputs().value()}, network.parameters(), 5);
}

TEST_CASE("gradients through every wrapper") {
  const nn::RecurrentOptions deep{.input = kInput,
                                  .hidden = kHidden,
                                  .layers = 2,
                                  .bidirectional = true,
                                  .merge = nn::Merge::sum};
  check(make<Recurrent<nn::DropoutCell<nn::LstmCell>>>(deep, 0.4));
  check(make<Recurrent<nn::DropoutCell<nn::GruCell>>>(deep, 0.4));
  check(make<Recurrent<nn::ZoneoutCell<nn::LstmCell>>>(deep, 0.4));
  check(make<Recurrent<nn::LayerNormCell<nn::GruCell>>>(deep));
  check(make<Recurrent<nn::ResidualCell<nn::LstmCell>>>(deep));
  check(make<Recurrent<nn::ResidualCell<nn::ZoneoutCell<nn::LayerNormCell<nn::LstmCell>>>>>(deep,
                                                                                            0.2));
  check(make<Recurrent<nn::DropoutCell<nn::ZoneoutCell<nn::LstmCell>>>>(deep, 0.4, 0.2));
  check(make<Recurrent<nn::LayerNormCell<nn::DropoutCell<nn::GruCell>>>>(deep, 0.4));
  check(make<Recurrent<nn::DropoutCell<nn::DropoutCell<nn::GruCell>>>>(deep, 0.2, 0.3));
  nn::RecurrentOptions options = deep;
  options.recurrent_dropout = 0.3;
  options.zoneout = 0.2;
  check(make<nn::Lstm>(options));
}

TEST_CASE("parameters keep the names of the inner cell") {
  std::vector<std::string> names;
  for (const auto& [name, parameter] :
       make<Recurrent<nn::LayerNormCell<nn::RnnCell>>>(kSizes).named_parameters())
    names.push_back(name);
  CHECK(names == std::vector<std::string>{"weight_ih_l0", "weight_hh_l0", "bias_ih_l0",
                                          "bias_hh_l0", "norm_weight_l0", "norm_bias_l0"});
  nn::RecurrentOptions options = kSizes;
  options.zoneout = 0.1;
  CHECK(make<nn::Lstm>(options).cell(0).weight_hh.shape() == Shape{4 * kHidden, kHidden});
}

TEST_CASE("recurrent dropout has one mask for the sequence, and none in evaluation") {
  // With h' = recurrent() the state is multiplied by the mask at each step.
  struct Keeps : nn::Cell {
    Size hidden;
    Keeps(Size, Size h, Rng&) : hidden(h) {}
    nn::State step(const Variable& px, const nn::State& s) const override {
      return {px + s.recurrent()};
    }
    nn::Widths state_sizes() const override { return {hidden}; }
  };
  Rng rng(1);
  Recurrent<nn::DropoutCell<Keeps>> network({.input = 400, .hidden = 400}, rng, 0.25);
  const Variable zeros(Tensor::zeros({3, 2, 400}));
  const nn::States ones{{Variable(Tensor::full({2, 400}, 1))}};
  const Tensor outputs = network(zeros, {.initial = ones}).outputs.value();
  Size dropped = 0;
  for (Size i = 0; i < 800; ++i) {
    const double once = outputs.at(i), kept = 1 / 0.75;
    dropped += once == 0;
    CHECK((once == 0 || once == doctest::Approx(kept)));
    CHECK(outputs.at(i + 800) == doctest::Approx(once * once));
    CHECK(outputs.at(i + 1600) == doctest::Approx(once * once * once));
  }
  CHECK(std::abs(static_cast<double>(dropped) - 200) < 60);  // 5 deviations of 12
  const nn::Evaluation mode;
  CHECK(same_bits(network(zeros, {.initial = ones}).outputs.value(), Tensor::full({3, 2, 400}, 1)));
}

TEST_CASE("a step may return a changed copy of its state") {
  struct Copies : nn::RnnCell {
    using nn::RnnCell::RnnCell;
    nn::State step(const Variable& px, const nn::State& state) const override {
      nn::State next = state;
      next[0] = nn::RnnCell::step(px, state)[0];
      return next;
    }
  };
  auto copies = make<Recurrent<nn::LayerNormCell<Copies>>>(kSizes);
  auto plain = make<Recurrent<nn::LayerNormCell<nn::RnnCell>>>(kSizes);
  CHECK(same_bits(copies(inputs()).outputs.value(), plain(inputs()).outputs.value()));
}

TEST_CASE("zoneout keeps units of every part, and takes the expectation in evaluation") {
  auto network =
      make<Recurrent<nn::ZoneoutCell<nn::LstmCell>>>({.input = kInput, .hidden = 300}, 0.25);
  const nn::Cell& inner = network.cell(0).inner();
  nn::State state{Variable(random_tensor({kBatch, 300}, 1)),
                  Variable(random_tensor({kBatch, 300}, 2))};
  const Variable x = slice(inputs(), 0, 0, 1);
  const nn::State next = inner.step(inner.project(x)[0], state);
  const nn::State zoned = network(x, {.initial = {state}}).final[0];
  for (int k = 0; k < 2; ++k) {
    Size kept = 0;
    for (Size i = 0; i < kBatch * 300; ++i) {
      const double value = zoned[k].value().at(i);
      const bool keeps = value == state[k].value().at(i);
      kept += keeps;
      if (!keeps) CHECK(value == doctest::Approx(next[k].value().at(i)).epsilon(1e-12));
    }
    CHECK(std::abs(static_cast<double>(kept) - 225) < 65);  // 5 deviations of 13
  }
  const nn::Evaluation mode;
  const nn::State expected = network(x, {.initial = {state}}).final[0];
  for (int k = 0; k < 2; ++k) {
    CHECK(relative_difference(expected[k].value(),
                              Variable(0.25 * state[k] + 0.75 * next[k]).value()) < 1e-14);
  }
}

TEST_CASE("zoneout draws anew at each step and for each sequence") {
  auto network = make<Recurrent<nn::ZoneoutCell<nn::RnnCell>>>({.input = 1, .hidden = 200}, 0.5);
  const Variable x(random_tensor({2, 2, 1}, 1));
  const auto kept = [&](const Unrolled& run, Size t, Size row) {
    std::vector<bool> keeps;
    for (Size u = 0; u < 200; ++u) {
      const double before = t == 0 ? 0 : run.outputs.value().at(((t - 1) * 2 + row) * 200 + u);
      keeps.push_back(run.outputs.value().at((t * 2 + row) * 200 + u) == before);
    }
    return keeps;
  };
  const Unrolled first = network(x), second = network(x);
  CHECK(kept(first, 0, 0) != kept(first, 1, 0));
  CHECK(kept(first, 0, 0) != kept(first, 0, 1));
  CHECK(kept(first, 0, 0) != kept(second, 0, 0));
}

TEST_CASE("the wrapped cell must fit") {
  /// Does not read State::recurrent().
  struct Deaf : nn::Cell {
    Size hidden;
    Deaf(Size, Size h, Rng&) : hidden(h) {}
    nn::State step(const Variable& px, const nn::State& s) const override { return {px + s[0]}; }
    nn::Widths state_sizes() const override { return {hidden}; }
  };
  Rng rng(1);
  const Variable x(random_tensor({2, 2, 5}, 1, DType::f32));
  CHECK(message_of<OptionError>([&] {
          Recurrent<nn::DropoutCell<Deaf>> network(kSizes, rng, 0.5);
          network(x);
        }) ==
        "recurrent dropout needs a cell whose products read State::recurrent(); the step of this "
        "one does not");
  CHECK(message_of<OptionError>([&] {
          Recurrent<nn::LayerNormCell<Deaf>> network(kSizes, rng);
          network(x);
        }) ==
        "LayerNormCell needs a cell whose products read State::recurrent(); the step of this one "
        "does not");
  CHECK(message_of<OptionError>([&] {
          Recurrent<nn::ResidualCell<nn::RnnCell>> network({.input = 3, .hidden = 5}, rng);
        }) == "ResidualCell: the output is 5 wide, the input 3: they cannot be added");
  CHECK(message_of<OptionError>([&] {
          Recurrent<nn::ZoneoutCell<nn::RnnCell>> network(kSizes, rng, 1.0);
        }) == "ZoneoutCell: rate 1 is outside of [0, 1)");
  CHECK(message_of<OptionError>([&] {
          Recurrent<nn::DropoutCell<nn::RnnCell>> network(kSizes, rng, -0.1);
        }) == "DropoutCell: rate -0.1 is outside of [0, 1)");
}

}  // namespace
}  // namespace hindsight::test
