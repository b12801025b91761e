#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/nn/module.h>

namespace hindsight::nn {

struct EmbeddingOptions {
  Size symbols = 0;
  Size width = 0;
};

/// A vector for each symbol: indices of shape S -> (S..., width). weight: (symbols, width),
/// standard normal as in PyTorch. OptionError for sizes below 1, IndexError naming a symbol outside
/// of [0, symbols).
class Embedding : public Module {
 public:
  Embedding(const EmbeddingOptions& options, Rng& rng);
  Variable operator()(const Indices& symbols) const;

  Parameter weight;
};

}  // namespace hindsight::nn
