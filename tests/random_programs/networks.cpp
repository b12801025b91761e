#include "networks.h"

#include <hindsight/nn/nn.h>

namespace hindsight::random_programs {
namespace {

constexpr double kDropoutRate = 0.3;

/// h' = layer_norm(tanh(px + h W)) + softmax(h) s: operations that read a whole row of the state.
class NormalizedCell : public nn::Cell {
 public:
  NormalizedCell(Size input, Size hidden, Rng& rng)
      : weight_(parameter("weight", nn::init::uniform({hidden, hidden}, 0.5, rng))),
        input_(parameter("input", nn::init::uniform({input, hidden}, 0.5, rng))),
        scale_(parameter("scale", nn::init::uniform({hidden}, 1, rng))),
        shift_(parameter("shift", nn::init::uniform({hidden}, 1, rng))) {}
  Variable project(const Variable& inputs) const override { return matmul(inputs, input_); }
  nn::State step(const Variable& px, const nn::State& state) const override {
    const Variable h = state[0], sum = tanh(px + matmul(h, weight_));
    return {layer_norm(sum, scale_, shift_, {.epsilon = 0.1}) + softmax(h) * shift_};
  }
  nn::Widths state_sizes() const override { return {weight_.shape()[0]}; }

 private:
  Parameter weight_, input_, scale_, shift_;
};

bool has_input(const Step& step) { return !step.inputs.empty(); }

}  // namespace

std::shared_ptr<const nn::Unroller> make_network(const Step& step) {
  Rng rng(step.seed);
  const auto& n = step.numbers;
  const nn::RecurrentOptions options{.input = n[kInputWidth],
                                     .hidden = n[kHidden],
                                     .layers = n[kLayers],
                                     .bidirectional = n[kBidirectional] != 0,
                                     .dropout = n[kDropout] != 0 ? kDropoutRate : 0};
  switch (n[kCell]) {
    case kRnn:
      return std::make_shared<nn::Rnn>(options, rng);
    case kLstm:
      return std::make_shared<nn::Lstm>(options, rng);
    case kProjectedLstm:
      return std::make_shared<nn::Lstm>(options, rng, nn::LstmOptions{.projection = 2});
    case kNormalized:
      return std::make_shared<nn::Recurrent<NormalizedCell>>(options, rng);
    default:
      return std::make_shared<nn::Rnn>(options, rng, nn::RnnOptions{.bias = false});
  }
}

std::vector<Variable> run_network(const nn::Unroller& network, const Step& step,
                                  const std::vector<Variable>& in, bool checkpoints) {
  const auto& n = step.numbers;
  nn::Unroller copy = network;  // draws the same numbers every time
  const Size T = has_input(step) ? in[0].size(0) : n[kSteps],
             B = has_input(step) ? in[0].size(1) : n[kBatch];
  nn::UnrollOptions options{.checkpoint_every = checkpoints ? n[kCheckpointEvery] : 0,
                            .final_only = n[kFinalOnly] != 0};
  Rng rng(step.seed + 1);
  if (n[kLengths] != 0) {
    for (Size b = 0; b < B; ++b) options.lengths.push_back(1 + rng.below(T));
  }
  nn::Unrolled result;
  if (has_input(step)) {
    result = copy(in[0], options);
  } else {
    const Indices symbols(Shape{T, B});
    for (Size i = 0; i < symbols.elements(); ++i) symbols.data()[i] = rng.below(n[kInputWidth]);
    result = copy(symbols, options);
  }
  const nn::State& last = result.final[result.final.size() - 1];
  const Variable& state = last[last.size() - 1];
  if (n[kFinalOnly] != 0) return {state};
  return {result.outputs, state};
}

std::string network_text(const Step& step) {
  static const char* const kNames[] = {"Rnn", "Lstm", "Lstm, projected",
                                       "Recurrent<NormalizedCell>", "Rnn, no bias"};
  const auto& n = step.numbers;
  std::string text =
      fmt::format("{}, input {}, hidden {}", kNames[n[kCell]], n[kInputWidth], n[kHidden]);
  const auto add = [&](NetworkNumber number, const char* what) {
    if (n[number] != 0) text += fmt::format(", {} {}", what, n[number]);
  };
  if (n[kLayers] > 1) add(kLayers, "layers");
  add(kBidirectional, "bidirectional");
  add(kCheckpointEvery, "checkpoint_every");
  add(kFinalOnly, "final_only");
  add(kLengths, "lengths");
  add(kDropout, "dropout");
  if (!has_input(step)) text += fmt::format(", symbols ({}, {})", n[kSteps], n[kBatch]);
  return fmt::format("{}, seed {}", text, step.seed);
}

}  // namespace hindsight::random_programs
