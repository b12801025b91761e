#pragma once
#include <hindsight/nn/nn.h>

#include <string>
#include <vector>

#include "support.h"

/// The network and the batch of the tests of parallel_gradient().
namespace hindsight::test {

constexpr Size T = 5, B = 7, I = 3, H = 6, V = 4;

/// A network with dropout between its layers and before its readout.
struct Network : nn::Module {
  explicit Network(double rate, DType dtype = DType::f64)
      : rng(3),
        lstm(child("lstm", nn::Lstm({.input = I, .hidden = H, .layers = 2, .dropout = rate}, rng))),
        dropout(rate, rng),
        readout(child("readout", nn::Linear({.inputs = H, .outputs = V}, rng))) {
    to(dtype);
  }
  Variable operator()(const Tensor& inputs, Size checkpoint_every = 0) {
    nn::UnrollOptions options;
    options.checkpoint_every = checkpoint_every;
    return readout(dropout(lstm(Variable(inputs), options).outputs));
  }

  Rng rng;
  nn::Lstm lstm;
  nn::Dropout dropout;
  nn::Linear readout;
};

inline Indices some_targets() {
  std::vector<int> values;
  for (Size i = 0; i < T * B; ++i) values.push_back(static_cast<int>(i * i % V));
  return Indices(values, {T, B});
}

inline const Tensor kInputs = random_tensor({T, B, I}, 5);
inline const Indices kTargets = some_targets();

inline std::vector<Tensor> gradients_of(const nn::Module& module) {
  std::vector<Tensor> result;
  for (const Parameter& p : module.parameters()) result.push_back(p.gradient().contiguous_copy());
  return result;
}

inline void clear(const nn::Module& module) {
  for (Parameter& p : module.parameters()) p.clear_gradient();
}

inline void check_same(const std::vector<Tensor>& got, const std::vector<Tensor>& wanted,
                       double tolerance = 0) {
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    INFO("parameter ", i);
    CHECK((tolerance > 0 ? relative_difference(got[i], wanted[i], 1e-9) <= tolerance
                         : same_bits(got[i], wanted[i])));
  }
}

/// The function for parallel_gradient().
inline auto loss_of(Network& network, const Tensor& inputs, Size checkpoint_every = 0) {
  return [&network, inputs, checkpoint_every](const nn::Rows& rows) {
    const Variable logits = network(rows.of(inputs, 1), checkpoint_every);
    return Variable(rows.share() * cross_entropy(logits, rows.of(kTargets, 1)));
  };
}

}  // namespace hindsight::test
