#pragma once
#include <hindsight/nn/nn.h>

#include "support.h"

/// A model whose operations the tests of inspect look at.
namespace hindsight::test {

struct Model : nn::Module {
  explicit Model(Rng& rng, Size layers = 1)
      : rnn(child("encoder", nn::Lstm({.input = 2, .hidden = 3, .layers = layers}, rng))),
        readout(child("readout", nn::Linear({.inputs = 3, .outputs = 2}, rng))) {}
  nn::Lstm rnn;
  nn::Linear readout;

  Variable loss(Size steps) {
    const Variable x(random_tensor({steps, 4, 2}, 1, DType::f32));
    return sum(square(readout(rnn(x).outputs)));
  }
};

inline Size occurrences(const std::string& text, const std::string& part) {
  Size count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

}  // namespace hindsight::test
