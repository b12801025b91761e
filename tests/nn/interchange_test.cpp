// Weights of other libraries: layouts and gate orders against plain loops, round trips, and what is
// missing, left over or of another shape.
#include <hindsight/nn/nn.h>

#include "safetensors_files.h"

namespace hindsight::test {
namespace {

namespace keras = nn::keras;
namespace onnx = nn::onnx;
using nn::Gru;
using nn::Lstm;
using nn::Rnn;

double sigma(double x) { return 1 / (1 + std::exp(-x)); }

/// Random weights in the layout of Keras.
keras::Weights random_weights(Size input, Size units, Size gates, bool two_biases = false) {
  const Size width = gates * units;
  return {random_tensor({input, width}, 1), random_tensor({units, width}, 2),
          random_tensor(two_biases ? Shape{2, width} : Shape{width}, 3)};
}

/// One step of one row by the equations of Keras, with column k units + u for unit u of gate k.
struct PlainKeras {
  const keras::Weights& w;
  std::vector<double> x, h;

  double input(Size column, Size row = 0) const {
    return dot(x, w.kernel, column) + bias(column, row);
  }
  double recurrent(Size column) const { return dot(h, w.recurrent_kernel, column); }
  double bias(Size column, Size row = 0) const {
    return w.bias.at(row * w.kernel.size(1) + column);
  }
  static double dot(const std::vector<double>& v, const Tensor& matrix, Size column) {
    double sum = 0;
    for (std::size_t i = 0; i < v.size(); ++i)
      sum += v[i] * matrix.at(static_cast<Size>(i) * matrix.size(1) + column);
    return sum;
  }
};

/// Outputs after one step from a random state, and what plain loops give for unit u.
template <class Network, class Unit>
void check_step(Network network, const keras::Weights& weights, const Unit& unit) {
  network.to(DType::f64);
  keras::assign(network, {weights});
  const Size units = network.options().hidden;
  const Tensor x = random_tensor({1, 1, network.options().input}, 4);
  const Tensor h = random_tensor({1, units}, 5), c = random_tensor({1, units}, 6);
  const bool has_c = network.initial_states(1)[0].size() == 2;
  const nn::States initial{has_c ? nn::State{h, c} : nn::State{h}};
  const Tensor got = network(Variable(x), initial).outputs.value();
  const PlainKeras plain{weights, x.to_vector(), h.to_vector()};
  for (Size u = 0; u < units; ++u)
    CHECK(got.at(u) == doctest::Approx(unit(plain, u, h.at(u), c.at(u))).epsilon(1e-13));
}

TEST_CASE("Keras gates are read from their columns") {
  Rng rng(1);
  const nn::RecurrentOptions sizes{.input = 3, .hidden = 4};
  check_step(Rnn(sizes, rng), random_weights(3, 4, 1),
             [](const PlainKeras& k, Size u, double, double) {
               return std::tanh(k.input(u) + k.recurrent(u));
             });
  check_step(
      Lstm(sizes, rng), random_weights(3, 4, 4), [](const PlainKeras& k, Size u, double, double c) {
        const auto z = [&](Size gate) { return k.input(4 * gate + u) + k.recurrent(4 * gate + u); };
        const double next = sigma(z(1)) * c + sigma(z(0)) * std::tanh(z(2));
        return sigma(z(3)) * std::tanh(next);
      });
  const auto after = [](const PlainKeras& k, Size u, double h, double) {
    const auto recurrent = [&](Size gate) {
      return k.recurrent(4 * gate + u) + k.bias(4 * gate + u, 1);
    };
    const double z = sigma(k.input(u) + recurrent(0)), r = sigma(k.input(4 + u) + recurrent(1));
    return z * h + (1 - z) * std::tanh(k.input(8 + u) + r * recurrent(2));
  };
  check_step(Gru(sizes, rng), random_weights(3, 4, 3, true), after);
  const auto before = [](const PlainKeras& k, Size u, double h, double) {
    PlainKeras reset = k;
    for (std::size_t i = 0; i < reset.h.size(); ++i) {
      const Size column = 4 + static_cast<Size>(i);
      reset.h[i] *= sigma(k.input(column) + k.recurrent(column));
    }
    const double z = sigma(k.input(u) + k.recurrent(u));
    return z * h + (1 - z) * std::tanh(k.input(8 + u) + reset.recurrent(8 + u));
  };
  check_step(Gru(sizes, rng, nn::GruOptions{.reset_after = false}), random_weights(3, 4, 3),
             before);
}

/// What the weights of one network in another library's layout make of a second network.
template <class Network, class... Arguments>
void check_round_trips(const nn::RecurrentOptions& sizes, bool in_keras,
                       const Arguments&... arguments) {
  Rng rng(1), other_rng(2);
  Network network(sizes, rng, arguments...), other(sizes, other_rng, arguments...);
  const Variable x = random_tensor({5, 3, sizes.input}, 3, DType::f32);
  const Tensor wanted = network(x).outputs.value();
  if (in_keras) {
    keras::assign(other, keras::weights(network));
    CHECK(relative_difference(other(x).outputs.value(), wanted) < 1e-6);
  }
  onnx::assign(other, onnx::weights(network));
  CHECK(same_bits(other(x).outputs.value(), wanted));
}

TEST_CASE("weights pass through the layouts of Keras and ONNX") {
  const nn::RecurrentOptions deep{.input = 3, .hidden = 4, .layers = 2, .bidirectional = true};
  check_round_trips<Rnn>(deep, true);
  check_round_trips<Rnn>(deep, true, nn::RnnOptions{.bias = false});
  check_round_trips<Gru>(deep, true);
  check_round_trips<Gru>(deep, true, nn::GruOptions{.bias = false});
  check_round_trips<Gru>(deep, true, nn::GruOptions{.reset_after = false});
  check_round_trips<Lstm>(deep, true);
  check_round_trips<Lstm>(deep, true, nn::LstmOptions{.bias = false});
  check_round_trips<Lstm>(deep, false, nn::LstmOptions{.peephole = true});
  check_round_trips<Lstm>(deep, false, nn::LstmOptions{.coupled = true});
  check_round_trips<Lstm>(deep, false, nn::LstmOptions{.coupled = true, .peephole = true});
  Rng rng(1);
  const nn::Linear linear({.inputs = 3, .outputs = 2}, rng),
      other({.inputs = 3, .outputs = 2}, rng);
  keras::assign(other, keras::weights(linear));
  CHECK(same_bits(other.weight.value(), linear.weight.value()));
  CHECK(same_bits(other.bias.value(), linear.bias.value()));
}

TEST_CASE("weights for another library are copies") {
  Rng rng(1);
  const Rnn rnn({.input = 3, .hidden = 4}, rng);
  const Tensor before = rnn.cell(0).weight_hh.value().contiguous_copy();
  onnx::weights(rnn)[0].R.fill(0);
  keras::weights(rnn.cell(0)).recurrent_kernel.fill(0);
  CHECK(same_bits(rnn.cell(0).weight_hh.value(), before));
}

/// A file of a Keras model: two LSTMs and a dense layer.
nn::NamedTensors keras_model() {
  nn::NamedTensors tensors;
  const auto add = [&](const std::string& prefix, const keras::Weights& weights) {
    tensors.emplace_back(prefix + "/kernel", weights.kernel);
    if (weights.recurrent_kernel)
      tensors.emplace_back(prefix + "/recurrent_kernel", weights.recurrent_kernel);
    tensors.emplace_back(prefix + "/bias", weights.bias);
  };
  add("lstm/lstm_cell", random_weights(3, 4, 4));
  add("lstm_1/lstm_cell", random_weights(4, 4, 4));
  add("dense", {random_tensor({4, 2}, 7), {}, random_tensor({2}, 8)});
  return tensors;
}

TEST_CASE("a file of a Keras model is used tensor by tensor") {
  const Workplace work;
  const std::string path = work.path("keras.safetensors");
  nn::save_safetensors(path, keras_model());
  Rng rng(1);
  const Lstm lstm({.input = 3, .hidden = 4, .layers = 2}, rng);
  const nn::Linear readout({.inputs = 4, .outputs = 2}, rng);
  nn::WeightSource file(path);
  keras::assign(lstm,
                {keras::take(&file, "lstm/lstm_cell"), keras::take(&file, "lstm_1/lstm_cell")});
  CHECK(message_of<FileError>([&] { file.finish(); }) ==
        "cannot load '" + path +
            "': nothing uses its tensor 'dense/bias', and also 'dense/kernel'");
  CHECK(message_of<FileError>([&] { keras::take(&file, "dense_1"); }) ==
        "cannot load '" + path +
            "': there is no tensor 'dense_1/kernel'; not used so far: 'dense/bias', and also "
            "'dense/kernel'");
  CHECK(message_of<FileError>([&] { keras::take(&file, "lstm/lstm_cell"); }) ==
        "cannot load '" + path + "': tensor 'lstm/lstm_cell/kernel' was used before");
  keras::assign(readout, keras::take(&file, "dense"));
  file.finish();
  CHECK(file.left_over().empty());
  const Tensor kernel = random_tensor({4, 2}, 7).to(DType::f32);
  CHECK(readout.weight.value().at(5) == kernel.at(2 * 1 + 1));  // unit 1, input 1
  const Tensor one = Tensor::full({1}, 1);
  CHECK(message_of<FileError>([&] {
          nn::WeightSource({{"a", one}, {"a", one}});
        }) == "cannot load the weights: two tensors are named 'a'");
}

TEST_CASE("weights that do not fit leave the network as it is") {
  Rng rng(1);
  const Lstm lstm({.input = 3, .hidden = 4, .layers = 2}, rng);
  const std::vector<keras::Weights> fitting{random_weights(3, 4, 4), random_weights(4, 4, 4)};
  const Tensor before = lstm.cell(0).weight_ih.value().contiguous_copy();
  std::vector<keras::Weights> weights = fitting;
  const auto keras_message = [&](auto error) {
    const std::string message = message_of<decltype(error)>([&] { keras::assign(lstm, weights); });
    CHECK(same_bits(lstm.cell(0).weight_ih.value(), before));
    weights = fitting;
    return message;
  };
  const ShapeError shape("");
  const Error other("");
  weights[1].kernel = random_tensor({16, 4}, 1);
  CHECK(keras_message(shape) ==
        "keras::assign: kernel is (16, 4); (4, 16) is needed for parameter weight_ih_l1: "
        "transpose it");
  weights[1].recurrent_kernel = random_tensor({5, 16}, 1);
  CHECK(keras_message(shape) ==
        "keras::assign: recurrent_kernel is (5, 16); (4, 16) is needed for parameter weight_hh_l1");
  weights[1].bias = {};
  CHECK(keras_message(other) == "keras::assign: bias is missing, which parameter bias_ih_l1 needs");
  weights.pop_back();
  CHECK(keras_message(other) ==
        "keras::assign: weights of 1 cells are given, and the network has 2");
  std::vector<onnx::Weights> nodes = onnx::weights(lstm);
  nodes[0].P = random_tensor({1, 12}, 1);
  CHECK(message_of<Error>([&] { onnx::assign(lstm, nodes); }) ==
        "onnx::assign: P is left over: the network's options leave out the parameter for it");
  nodes = onnx::weights(lstm);
  nodes[0].R = random_tensor({2, 16, 4}, 1);
  CHECK(message_of<ShapeError>([&] { onnx::assign(lstm, nodes); }) ==
        "onnx::assign: R is (2, 16, 4); (1, 16, 4) is needed for parameter weight_hh_l0");
}

TEST_CASE("weights for other options are rejected") {
  Rng rng(1);
  const Gru after({.input = 3, .hidden = 4}, rng);
  const Gru before({.input = 3, .hidden = 4}, rng, nn::GruOptions{.reset_after = false});
  CHECK(message_of<ShapeError>([&] { keras::assign(after, {random_weights(3, 4, 3)}); }) ==
        "keras::assign: bias is (12,); (2, 12) is needed for parameter bias_ih_l0: reset_after is "
        "true in the network");
  CHECK(message_of<ShapeError>([&] { keras::assign(before, keras::weights(after)); }) ==
        "keras::assign: bias is (2, 12); (12,) is needed for parameter bias_ih_l0: reset_after is "
        "false in the network");
  CHECK(message_of<OptionError>([&] { onnx::assign(before, onnx::weights(after)); }) ==
        "onnx::assign: linear_before_reset is true, and the cell was made with reset_after false");
  const Lstm projected({.input = 3, .hidden = 4}, rng, nn::LstmOptions{.projection = 2});
  CHECK(message_of<OptionError>([&] { onnx::weights(projected); }) ==
        "onnx::weights: parameter weight_hr_l0 has no counterpart in the other library");
  const Lstm old({.input = 3, .hidden = 4}, rng, nn::LstmOptions{.forget_gate = false});
  CHECK(contains(message_of<OptionError>([&] { onnx::weights(old); }), "no forget gate"));
  CHECK(contains(message_of<OptionError>([&] { keras::weights(old); }), "three gates"));
  const Lstm learned({.input = 3, .hidden = 4, .learned_initial = true}, rng);
  CHECK(contains(message_of<OptionError>([&] { keras::weights(learned); }), "initial_0_l0"));
}

TEST_CASE("load() names all tensors that do not fit, and the converter for another layout") {
  const Workplace work;
  const std::string path = work.path("t.safetensors"), start = "cannot load '" + path + "': ";
  Rng rng(1);
  const Rnn rnn({.input = 3, .hidden = 4}, rng);
  nn::NamedTensors state;
  for (const auto& [name, parameter] : rnn.named_parameters())
    state.emplace_back(name, parameter.value());
  const auto message = [&](const nn::NamedTensors& tensors) {
    nn::save_safetensors(path, tensors);
    return message_of<FileError>([&] { nn::load(path, rnn); });
  };
  CHECK(message({{"a", Tensor::full({1}, 1)}, {"b", Tensor::full({1}, 1)}, state[0], state[3]}) ==
        start +
            "it holds a parameter 'a', and also 'b' that the model lacks, and it lacks the "
            "model's parameter 'weight_hh_l0', and also 'bias_ih_l0'");
  nn::NamedTensors tensors = state;
  tensors[0].first = "rnn/cell/kernel";
  CHECK(message(tensors) == start +
                                "it holds a parameter 'rnn/cell/kernel' that the model lacks, "
                                "and it lacks the model's parameter 'weight_ih_l0'; "
                                "keras::assign converts the weights of Keras layers");
  tensors = state;
  tensors[0].second = Tensor::full({3, 4}, 1);
  CHECK(message(tensors) ==
        start +
            "parameter 'weight_ih_l0' has shape (3, 4) in the file and (4, 3) in the model: it "
            "is transposed, as in Keras, whose weights keras::assign converts");
  tensors[0].second = Tensor::full({1, 4, 3}, 1);
  CHECK(message(tensors) ==
        start +
            "parameter 'weight_ih_l0' has shape (1, 4, 3) in the file and (4, 3) in the model: "
            "it has an axis of directions, as in ONNX, whose weights onnx::assign converts");
}

}  // namespace
}  // namespace hindsight::test
