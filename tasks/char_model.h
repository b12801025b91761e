#pragma once
#include <hindsight/nn/nn.h>

#include <string>

#include "text.h"

namespace hindsight::tasks {

struct CharModelOptions {
  Size hidden = 256;  ///< H
  Size layers = 1;
  double dropout = 0;  ///< on the output of every layer while training
};

/// Predicts the next byte of a text: an LSTM over symbols and an affine readout at every step.
class CharModel : public nn::Module {
 public:
  CharModel(const Vocabulary& vocabulary, const CharModelOptions& options, Rng& rng);

  /// How many parameters such a model has, without making it.
  static Size parameters_of(const CharModelOptions& options, Size symbols);

  struct Prediction {
    Variable logits;   ///< (T, B, V)
    nn::States final;  ///< to carry into the next chunk
  };
  /// symbols: (T, B). Zero states when `initial` is left out.
  Prediction operator()(const Indices& symbols, const nn::States& initial = {});

  const Vocabulary& vocabulary() const { return vocabulary_; }
  const CharModelOptions& options() const { return options_; }

  /// Writes a .safetensors file whose metadata hold vocabulary and sizes.
  void save(const std::string& path) const;
  /// FileError for a file that `save` did not write.
  static CharModel load(const std::string& path);

 private:
  Vocabulary vocabulary_;
  CharModelOptions options_;
  nn::Lstm lstm_;
  nn::Dropout dropout_;
  nn::Linear readout_;
};

}  // namespace hindsight::tasks
