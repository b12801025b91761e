#pragma once
#include <hindsight/nn/nn.h>

#include <string>

#include "text.h"

namespace hindsight::tasks {

struct CharModelOptions {
  Size hidden = 256;  ///< H
  Size layers = 1;
  double dropout = 0;  ///< on the output of every layer, in training
};

/// Predicts the next byte of a text with an LSTM over symbols and an affine readout at every step.
class CharModel : public nn::Module {
 public:
  CharModel(const Vocabulary& vocabulary, const CharModelOptions& options, Rng& rng);

  /// The number of elements of all parameters of such a model, computed without making it.
  static Size parameters_of(const CharModelOptions& options, Size symbols);

  struct Prediction {
    Variable logits;   ///< (T, B, V)
    nn::States final;  ///< to carry into the next chunk
  };
  /// symbols: (T, B). The initial states are zeros when left out.
  Prediction operator()(const Indices& symbols, const nn::States& initial = {});
  /// A reader of chunks of a stream, for training: symbols (T, B) -> the LSTM's outputs. The model
  /// must outlive it.
  nn::TruncatedBptt stream(const nn::TruncatedBpttOptions& options);
  /// Outputs of the LSTM (T, B, H) -> (T, B, V).
  Variable logits(const Variable& outputs);

  const Vocabulary& vocabulary() const { return vocabulary_; }
  const CharModelOptions& options() const { return options_; }

  /// Writes a .safetensors file whose metadata holds the vocabulary and the sizes.
  void save(const std::string& path) const;
  /// Reads a file that save() wrote; FileError for others.
  static CharModel load(const std::string& path);

 private:
  Vocabulary vocabulary_;
  CharModelOptions options_;
  nn::Lstm lstm_;
  nn::Dropout dropout_;
  nn::Linear readout_;
};

}  // namespace hindsight::tasks
