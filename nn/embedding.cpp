#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/nn/embedding.h>
#include <hindsight/nn/init.h>

namespace hindsight::nn {

Embedding::Embedding(const EmbeddingOptions& options, Rng& rng) {
  if (options.symbols < 1 || options.width < 1) {
    fail<OptionError>("Embedding: {} symbols of width {}; at least 1 of each is needed",
                      options.symbols, options.width);
  }
  weight = parameter("weight", init::normal({options.symbols, options.width}, 1, rng));
}

Variable Embedding::operator()(const Indices& symbols) const {
  const Scope scope(path_or("Embedding"));
  return take(weight, symbols);
}

}  // namespace hindsight::nn
