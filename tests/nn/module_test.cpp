// Modules and their names, dropout and modes, seeds and threads.
#include <hindsight/nn/nn.h>
#include <hindsight/optim/optim.h>

#include <thread>

#include "support.h"

namespace hindsight::test {
namespace {

std::vector<std::string> names(const nn::Module& module) {
  std::vector<std::string> result;
  for (const auto& [name, parameter] : module.named_parameters()) {
    CHECK(parameter.name() == name);  // messages name a parameter as the model does
    result.push_back(name);
  }
  return result;
}

struct Model : nn::Module {
  Rng rng{1};
  nn::Embedding embedding = child("embedding", nn::Embedding({.symbols = 5, .width = 3}, rng));
  nn::Lstm lstm =
      child("lstm", nn::Lstm({.input = 3, .hidden = 4, .layers = 2, .bidirectional = true}, rng));
  nn::Linear readout = child("readout", nn::Linear({.inputs = 8, .outputs = 5}, rng));
  Parameter scale = parameter("scale", nn::init::constant({1}, 2));
};

struct Outer : nn::Module {
  Model inner = child("inner", Model());
};

TEST_CASE("parameters are named by the modules that declare them, recurrent ones as in PyTorch") {
  const Model model;
  std::vector<std::string> wanted{"embedding.weight"};
  for (const char* suffix : {"_l0", "_l0_reverse", "_l1", "_l1_reverse"}) {
    for (const char* name : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"})
      wanted.push_back(std::string("lstm.") + name + suffix);
  }
  for (const char* name : {"readout.weight", "readout.bias", "scale"}) wanted.emplace_back(name);
  CHECK(names(model) == wanted);
  const Outer outer;
  for (std::string& name : wanted) name = "inner." + name;
  CHECK(names(outer) == wanted);
  Rng rng(1);
  CHECK(names(nn::Lstm({.input = 2, .hidden = 3}, rng,
                       nn::LstmOptions{.bias = false, .projection = 2})) ==
        std::vector<std::string>{"weight_ih_l0", "weight_hh_l0", "weight_hr_l0"});
  CHECK(names(nn::Linear({.inputs = 2, .outputs = 3, .bias = false}, rng)) ==
        std::vector<std::string>{"weight"});
}

TEST_CASE("shapes and counts") {
  const Model model;
  CHECK(model.lstm.cell(1, 1).weight_ih.shape() == Shape{16, 8});
  CHECK(model.lstm.cell(0, 1).weight_hh.shape() == Shape{16, 4});
  CHECK(model.lstm.options().layers == 2);
  const Size layer0 = 16 * 3 + 16 * 4 + 32, layer1 = 16 * 8 + 16 * 4 + 32;
  CHECK(model.parameter_count() == 5 * 3 + 2 * layer0 + 2 * layer1 + 8 * 5 + 5 + 1);
  CHECK(model.parameters().size() == 20);
}

TEST_CASE("a name that is taken is rejected") {
  struct Twice : nn::Module {
    Parameter a = parameter("a", nn::init::zeros({1})), b = parameter("a", nn::init::zeros({1}));
  };
  CHECK(message_of<Error>([] { Twice twice; }) == "module: the name a is taken");
  struct TwoParts : nn::Module {
    Rng rng{1};
    nn::Linear a = child("part", nn::Linear({.inputs = 1, .outputs = 1}, rng)),
               b = child("part", a);
  };
  CHECK(message_of<Error>([] { TwoParts twice; }) == "module: the name part. is taken");
}

TEST_CASE("copies share parameters, shared parameters count once") {
  struct Tied : nn::Module {
    Rng rng{1};
    nn::Linear first = child("first", nn::Linear({.inputs = 2, .outputs = 2, .bias = false}, rng));
    nn::Linear second = child("second", first);
  };
  Tied tied;
  Parameter weight = tied.first.weight;
  weight.assign(Tensor::full({2, 2}, 3));
  CHECK(tied.second.weight.value().at(0) == 3);
  CHECK(tied.named_parameters().size() == 2);  // both names, for files
  CHECK(tied.parameters().size() == 1);        // one parameter, for optimizers
  CHECK(tied.parameter_count() == 4);
}

TEST_CASE("to() changes the type of everything, keeps the values, drops gradients") {
  Model model;
  const Tensor before = model.lstm.cell(0).weight_ih.value();
  {
    Tape tape;
    tape.backward(sum(square(model.scale)));
  }
  CHECK(model.scale.has_gradient());
  CHECK(model.dtype() == DType::f32);
  model.to(DType::f64);
  CHECK(model.dtype() == DType::f64);
  for (const Parameter& p : model.parameters()) CHECK(p.dtype() == DType::f64);
  CHECK(!model.scale.has_gradient());
  model.to(DType::f32);
  CHECK(same_bits(model.lstm.cell(0).weight_ih.value(), before));
}

TEST_CASE("Linear, Embedding and Dropout") {
  Rng rng(1);
  nn::Linear linear({.inputs = 3, .outputs = 2}, rng);
  nn::Embedding embedding({.symbols = 4, .width = 3}, rng);
  linear.to(DType::f64);
  embedding.to(DType::f64);
  const Indices symbols(std::vector<int>{3, 0, 3, 1}, {2, 2});
  const Tensor y = linear(embedding(symbols)).value();
  REQUIRE(y.shape() == Shape{2, 2, 2});
  for (Size i = 0; i < 4; ++i) {
    for (Size o = 0; o < 2; ++o) {
      double wanted = linear.bias.value().at(o);
      for (Size j = 0; j < 3; ++j)
        wanted +=
            linear.weight.value().at(o * 3 + j) * embedding.weight.value().at(symbols[i] * 3 + j);
      CHECK(y.at(i * 2 + o) == doctest::Approx(wanted).epsilon(1e-12));
    }
  }
  std::vector<Parameter> all = linear.parameters();
  all.push_back(embedding.weight);
  const nn::Dropout fresh(0.3, rng);
  const Function f = [&](In) {
    nn::Dropout dropout = fresh;  // draws the same at every call
    return tanh(linear(dropout(embedding(symbols))));
  };
  check_both_orders(f, {}, all);
  check_float_like_double(f, {}, all);
}

TEST_CASE("dropout between layers, only in training") {
  Rng rng(1);
  const nn::RecurrentOptions options{.input = 3, .hidden = 20, .layers = 2, .dropout = 0.5};
  nn::Lstm lstm(options, rng);
  const Variable x(random_tensor({4, 2, 3}, 1, DType::f32));
  const Tensor once = lstm(x).outputs.value(), twice = lstm(x).outputs.value();
  CHECK(!same_bits(once, twice));  // another mask
  for (double value : once.to_vector())
    CHECK(value != 0);  // the last layer's output is not dropped
  {
    nn::Evaluation mode;
    CHECK(!nn::training());
    CHECK(same_bits(lstm(x).outputs.value(), lstm(x).outputs.value()));
    { nn::Evaluation nested; }
    CHECK(!nn::training());
  }
  CHECK(nn::training());
  nn::RecurrentOptions one = options;
  one.layers = 1;
  nn::Lstm single(one, rng);
  CHECK(same_bits(single(x).outputs.value(), single(x).outputs.value()));
  nn::Dropout dropout(0.5, rng);
  nn::Evaluation mode;
  CHECK(dropout(x).node() == x.node());
}

/// The parameters after a few training steps.
std::vector<Tensor> train(std::uint64_t seed) {
  Rng rng(seed);
  nn::Lstm lstm({.input = 3, .hidden = 9, .layers = 2, .dropout = 0.2}, rng);
  optim::Adam adam(lstm.parameters(), {.learning_rate = 0.01, .clip_norm = 1});
  nn::States state;
  for (std::uint64_t step = 0; step < 20; ++step) {
    Tape tape;
    const nn::Unrolled run = lstm(Variable(random_tensor({6, 4, 3}, step, DType::f32)), state);
    tape.backward(mean(square(run.outputs - 0.3)));
    adam.step();
    state = run.final;
  }
  std::vector<Tensor> result;
  for (const Parameter& p : lstm.parameters()) result.push_back(p.value());
  return result;
}

TEST_CASE("the same seed gives the same bits, on any thread") {
  const std::vector<Tensor> wanted = train(5), other = train(6);
  CHECK(!same_bits(wanted[0], other[0]));
  std::vector<Tensor> results[2];
  std::thread a([&] { results[0] = train(5); }), b([&] { results[1] = train(5); });
  a.join();
  b.join();
  for (const auto& result : results) {
    REQUIRE(result.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(same_bits(result[i], wanted[i]));
  }
}

TEST_CASE("two threads differentiate through the same parameters") {
  Rng rng(1);
  nn::Linear linear({.inputs = 20, .outputs = 20}, rng);
  const auto gradient = [&](std::uint64_t seed) {
    Tape tape;
    const Variable w = linear.weight,
                   y = sum(square(tanh(
                       matmul(Variable(random_tensor({8, 20}, seed, DType::f32)), transpose(w)))));
    return tape.gradient(y, {w})[0].value().contiguous_copy();
  };
  const Tensor wanted[2] = {gradient(1), gradient(2)};
  bool same[2] = {true, true};
  const auto work = [&](int i) {
    for (int repeat = 0; repeat < 50; ++repeat)
      same[i] = same[i] && same_bits(gradient(static_cast<std::uint64_t>(i + 1)), wanted[i]);
  };
  std::thread a(work, 0), b(work, 1);
  a.join();
  b.join();
  CHECK(same[0]);
  CHECK(same[1]);
}

/// Does not return the part of the state that begin() appended.
struct ForgetfulCell : nn::Cell {
  Parameter b = parameter("b", nn::init::zeros({3}));
  ForgetfulCell(Size, Size, Rng&) {}
  nn::State begin(const nn::State& s) const override { return {s[0], Variable(b)}; }
  nn::State step(const Variable& px, const nn::State& s) const override {
    return {px + s[0] + s[1]};
  }
  nn::Widths state_sizes() const override { return {3}; }
};

TEST_CASE("a step that drops a part of the state is named") {
  Rng rng(1);
  nn::Recurrent<ForgetfulCell> layer({.input = 3, .hidden = 3}, rng);
  const std::string message = message_of<ShapeError>([&] {
    layer(Variable(Tensor::zeros({2, 1, 3})));
  });
  CHECK(message.rfind("Recurrent: the step of ", 0) == 0);
  CHECK(message.find("ForgetfulCell, Recurrent, layer 0, time step 0, returned a state of 1 parts; "
                     "it was given 2") != std::string::npos);
}

}  // namespace
}  // namespace hindsight::test
