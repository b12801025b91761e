// The ONNX operators RNN, LSTM and GRU (github.com/onnx/onnx, docs/Operators.md, versions 22):
// weights in their layout, their attributes, and the values that result.
#include <hindsight/nn/nn.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "nn/onnx_cases.h"
#include "support.h"

namespace hindsight::test {
namespace {

using nlohmann::json;
using nn::State;
using nn::States;
using nn::Unrolled;
using Names = std::vector<std::string>;

Tensor tensor_of(const json& given, const char* name, DType dtype) {
  if (!given.contains(name)) return {};
  Shape shape;
  for (const json& size : given[name]["shape"]) shape.push_back(size.get<Size>());
  return Tensor::from(given[name]["data"].get<std::vector<double>>(), shape, dtype);
}

/// A case, with the defaults of the operator filled in.
struct OnnxCase {
  std::string op, direction;
  Size hidden = 0;
  bool batch_first = false, input_forget = false, linear_before_reset = false;
  double clip = 0;  ///< 0: none
  Names activations;
  Tensor x, h, c;  ///< h, c: (D, B, H) or empty
  nn::onnx::Weights weights;
  std::vector<Size> lengths;

  std::size_t directions() const { return direction == "bidirectional" ? 2 : 1; }
  Names defaults() const {
    if (op == "RNN") return {"Tanh"};
    return op == "GRU" ? Names{"Sigmoid", "Tanh"} : Names{"Sigmoid", "Tanh", "Tanh"};
  }
  /// The activations of one direction.
  Names activations_of(std::size_t d) const {
    const std::size_t count = defaults().size();
    if (activations.empty()) return defaults();
    REQUIRE(activations.size() == count * directions());
    const auto first = activations.begin() + static_cast<std::ptrdiff_t>(d * count);
    return {first, first + static_cast<std::ptrdiff_t>(count)};
  }
};

/// (B, D, H) as (D, B, H), and the reverse.
Tensor swapped(const Tensor& states) {
  return states ? transpose(Variable(states), 0, 1).value().contiguous_copy() : states;
}

OnnxCase case_of(const json& given, DType dtype) {
  const json &attributes = given["attributes"], &inputs = given["inputs"];
  for (const auto& attribute : attributes.items()) {
    const std::string& name = attribute.key();
    const Names known = {"hidden_size",  "direction",          "layout", "activations", "clip",
                         "input_forget", "linear_before_reset"};
    INFO("attribute ", name);
    REQUIRE(std::find(known.begin(), known.end(), name) != known.end());
  }
  OnnxCase result;
  result.op = given["op"];
  result.hidden = attributes["hidden_size"];
  result.direction = attributes.value("direction", "forward");
  result.batch_first = attributes.value("layout", 0) == 1;
  result.clip = attributes.value("clip", 0.0);
  result.activations = attributes.value("activations", Names{});
  result.input_forget = attributes.value("input_forget", 0) != 0;
  result.linear_before_reset = attributes.value("linear_before_reset", 0) != 0;
  result.x = tensor_of(inputs, "X", dtype);
  result.weights = {tensor_of(inputs, "W", dtype), tensor_of(inputs, "R", dtype),
                    tensor_of(inputs, "B", dtype), tensor_of(inputs, "P", dtype),
                    result.input_forget,           result.linear_before_reset};
  result.h = tensor_of(inputs, "initial_h", dtype);
  result.c = tensor_of(inputs, "initial_c", dtype);
  if (result.batch_first) {
    result.h = swapped(result.h);
    result.c = swapped(result.c);
  }
  if (inputs.contains("sequence_lens"))
    result.lengths = inputs["sequence_lens"]["data"].get<std::vector<Size>>();
  return result;
}

// ---- Any attributes: a cell with the equations of ONNX ------------------------------------------

Variable activated(const std::string& name, const Variable& x) {
  if (name == "Tanh") return tanh(x);
  if (name == "Sigmoid") return sigmoid(x);
  if (name == "Relu") return relu(x);
  REQUIRE(name == "HardSigmoid");
  return clamp(0.2 * x + 0.5, 0, 1);
}

/// The equations of RNN, LSTM and GRU with all attributes, in the words of ONNX, of one direction.
struct OnnxCell : nn::Cell {
  const OnnxCase& node;
  Names f;           // activations
  Variable W, R, B;  // (G H, I), (G H, H), (2 G H,) or empty
  Variable P;        // (3H,) or empty

  OnnxCell(Size, Size, Rng&, const OnnxCase* onnx_case, std::size_t d)
      : node(*onnx_case), f(node.activations_of(d)) {
    const auto part = [&](const Tensor& all) {
      return all ? Variable(all)[static_cast<Size>(d)] : Variable();
    };
    W = part(node.weights.W);
    R = part(node.weights.R);
    B = part(node.weights.B);
    P = part(node.weights.P);
  }

  /// Rows of gate k.
  Variable gate(const Variable& rows, Size k) const {
    return slice(rows, 0, k * node.hidden, node.hidden);
  }
  Variable clipped(const Variable& x) const {
    return node.clip > 0 ? Variable(clamp(x, -node.clip, node.clip)) : x;
  }
  Variable input(const Variable& x, Size k) const {
    const Variable product = matmul(x, transpose(gate(W, k)));
    return B ? product + gate(B, k) : product;
  }
  Variable recurrent(const Variable& h, Size k) const {
    const Variable product = matmul(h, transpose(gate(R, k)));
    return B ? product + gate(B, W.size(0) / node.hidden + k) : product;
  }
  Variable peephole(const Variable& c, Size k) const {
    return P ? Variable(gate(P, k) * c) : Variable(0 * c);
  }

  State step(const Variable& x, const State& state) const override {
    const Variable& h = state[0];
    const auto sum = [&](Size k) { return input(x, k) + recurrent(h, k); };
    if (node.op == "RNN") return {activated(f[0], clipped(sum(0)))};
    if (node.op == "LSTM") {
      const Variable& c = state[1];
      const Variable i = activated(f[0], clipped(sum(0) + peephole(c, 0)));
      const Variable forget =
          node.input_forget ? Variable(1 - i) : activated(f[0], clipped(sum(2) + peephole(c, 2)));
      const Variable next = forget * c + i * activated(f[1], clipped(sum(3)));
      const Variable o = activated(f[0], clipped(sum(1) + peephole(next, 1)));
      return {o * activated(f[2], next), next};
    }
    const Variable z = activated(f[0], clipped(sum(0))), r = activated(f[0], clipped(sum(1)));
    const Variable reset =
        node.linear_before_reset ? Variable(r * recurrent(h, 2)) : recurrent(r * h, 2);
    const Variable candidate = activated(f[1], clipped(input(x, 2) + reset));
    return {(1 - z) * candidate + z * h};
  }
  nn::Widths state_sizes() const override {
    return node.op == "LSTM" ? nn::Widths{node.hidden, node.hidden} : nn::Widths{node.hidden};
  }
};

// ---- Running a case -----------------------------------------------------------------------------

/// The outputs in the layout of ONNX; y_c only of LSTMs.
struct Outputs {
  Variable y, y_h, y_c;
};

nn::RecurrentOptions sizes_of(const OnnxCase& node) {
  return {.input = node.x.size(2),
          .hidden = node.hidden,
          .bidirectional = node.direction == "bidirectional",
          .reverse = node.direction == "reverse",
          .batch_first = node.batch_first};
}

State initial_state(const OnnxCase& node, std::size_t d) {
  const Shape shape{node.x.size(node.batch_first ? 0 : 1), node.hidden};
  const auto part = [&](const Tensor& given) {
    return given ? Variable(given)[static_cast<Size>(d)]
                 : Variable(Tensor::zeros(shape, node.x.dtype()));
  };
  return node.op == "LSTM" ? State{part(node.h), part(node.c)} : State{part(node.h)};
}

/// outputs: (T, B, H) or (B, T, H) of each direction.
Outputs in_onnx_layout(const OnnxCase& node, const std::vector<Variable>& outputs,
                       const States& final) {
  const auto states = [&](int part) {
    std::vector<Variable> parts;
    for (const State& state : final) parts.push_back(state[part]);
    return stack(parts, node.batch_first ? 1 : 0);
  };
  return {stack(outputs, node.batch_first ? 2 : 1), states(0),
          node.op == "LSTM" ? states(1) : Variable()};
}

template <class Network>
Outputs run_network(const OnnxCase& node, Network network) {
  network.to(node.x.dtype());
  nn::onnx::assign(network, {node.weights});
  States initial;
  for (std::size_t d = 0; d < node.directions(); ++d) initial.push_back(initial_state(node, d));
  const Unrolled run = network(Variable(node.x), nn::UnrollOptions{initial, node.lengths});
  std::vector<Variable> outputs;
  for (std::size_t d = 0; d < node.directions(); ++d)
    outputs.push_back(slice(run.outputs, 2, static_cast<Size>(d) * node.hidden, node.hidden));
  return in_onnx_layout(node, outputs, run.final);
}

/// Whether the library's networks have these attributes.
bool expressible(const OnnxCase& node) {
  if (node.clip > 0) return false;
  const Names first = node.activations_of(0);
  for (std::size_t d = 0; d < node.directions(); ++d)
    if (node.activations_of(d) != first) return false;
  return node.op == "RNN" ? first[0] != "HardSigmoid" : first == node.defaults();
}

Outputs run_library(const OnnxCase& node) {
  Rng rng(1);
  const nn::RecurrentOptions sizes = sizes_of(node);
  const bool bias(node.weights.B);
  if (node.op == "RNN") {
    const std::string f = node.activations_of(0)[0];
    const auto nonlinearity = f == "Relu"      ? nn::Nonlinearity::relu
                              : f == "Sigmoid" ? nn::Nonlinearity::sigmoid
                                               : nn::Nonlinearity::tanh;
    return run_network(
        node, nn::Rnn(sizes, rng, nn::RnnOptions{.nonlinearity = nonlinearity, .bias = bias}));
  }
  if (node.op == "GRU") {
    return run_network(
        node,
        nn::Gru(sizes, rng, nn::GruOptions{.bias = bias, .reset_after = node.linear_before_reset}));
  }
  return run_network(node,
                     nn::Lstm(sizes, rng,
                              nn::LstmOptions{.bias = bias,
                                              .coupled = node.input_forget,
                                              .peephole = static_cast<bool>(node.weights.P)}));
}

/// Each direction as a network of its own, as the two may have different activations.
Outputs run_equations(const OnnxCase& node) {
  Rng rng(1);
  std::vector<Variable> outputs;
  States final;
  for (std::size_t d = 0; d < node.directions(); ++d) {
    nn::RecurrentOptions sizes = sizes_of(node);
    sizes.bidirectional = false;
    sizes.reverse = d == 1 || node.direction == "reverse";
    nn::Recurrent<OnnxCell> network(sizes, rng, &node, d);
    const Unrolled run =
        network(Variable(node.x), nn::UnrollOptions{States{initial_state(node, d)}, node.lengths});
    outputs.push_back(run.outputs);
    final.push_back(run.final[0]);
  }
  return in_onnx_layout(node, outputs, final);
}

void check_output(const char* name, const Variable& got, const json& outputs) {
  if (!outputs.contains(name)) return;
  INFO("output ", name);
  const Tensor wanted = tensor_of(outputs, name, DType::f64);
  REQUIRE(got.shape() == wanted.shape());
  const bool wide = got.dtype() == DType::f64;
  double worst = 0;  // over the tolerance
  for (Size i = 0; i < wanted.elements(); ++i) {
    const double b = std::abs(wanted.at(i));
    const double tolerance = wide ? 1e-12 + 1e-10 * b : 1e-5 + 1e-4 * b;
    const double difference = std::abs(got.value().at(i) - wanted.at(i));
    worst = std::isfinite(difference) ? std::max(worst, difference / tolerance) : INFINITY;
  }
  CHECK(worst <= 1);
}

void check_outputs(const Outputs& got, const json& outputs) {
  check_output("Y", got.y, outputs);
  check_output("Y_h", got.y_h, outputs);
  check_output("Y_c", got.y_c, outputs);
}

/// Runs a case in both element types, with the library's networks where they have its attributes,
/// and with the equations. Returns whether they have.
bool run_case(const json& given) {
  INFO(given.value("name", "case"));
  bool by_library = false;
  for (const DType dtype : {DType::f64, DType::f32}) {
    const OnnxCase node = case_of(given, dtype);
    by_library = expressible(node);
    if (by_library) check_outputs(run_library(node), given["outputs"]);
    check_outputs(run_equations(node), given["outputs"]);
  }
  return by_library;
}

TEST_CASE("three ONNX cases") {
  int by_library = 0;
  for (const json& given : json::parse(kOnnxCases)) by_library += run_case(given) ? 1 : 0;
  CHECK(by_library == 2);  // the third one clips
}

TEST_CASE("all ONNX cases of a folder") {
  const char* other = std::getenv("HINDSIGHT_ONNX_CASES");
  const std::filesystem::path folder = other ? other : HINDSIGHT_SHARED_DIR "/facts/onnx_cases";
  if (!std::filesystem::is_directory(folder)) {
    MESSAGE("skipped: no ONNX cases at " << folder.string());
    return;
  }
  int cases = 0, by_library = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".json") continue;
    std::ifstream file(entry.path());
    by_library += run_case(json::parse(file)) ? 1 : 0;
    ++cases;
  }
  MESSAGE(cases << " ONNX cases, " << by_library << " of them with the library's cells");
  CHECK(cases > 0);
}

}  // namespace
}  // namespace hindsight::test
