#pragma once
#include <hindsight/autograd/tensor/indices.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace hindsight::tasks {

/// The symbols of a text: its distinct bytes in ascending order. A byte's symbol is its index.
class Vocabulary {
 public:
  Vocabulary() = default;
  explicit Vocabulary(std::string_view text);
  /// The inverse of to_hex(); an empty vocabulary for text that to_hex() does not write.
  static Vocabulary from_hex(std::string_view hex);
  std::string to_hex() const;  ///< two lower-case digits for each byte

  Size size() const { return static_cast<Size>(bytes_.size()); }
  char byte(Size symbol) const { return bytes_[static_cast<std::size_t>(symbol)]; }
  /// -1 for a byte that is not in the text.
  Size symbol(char byte) const { return symbols_[static_cast<unsigned char>(byte)]; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::array<std::int16_t, 256> symbols_{};
};

/// Entropy of single bytes of a text, in bits: the score of a model that knows only how often each
/// occurs.
double unigram_entropy(std::string_view text);

/// B consecutive parts of a text, of equal length, read side by side. A remainder of less than B
/// bytes is left out.
class Streams {
 public:
  Streams(std::string_view text, const Vocabulary& vocabulary, Size batch);

  Size batch() const { return batch_; }
  Size length() const { return length_; }
  /// Time steps that have a next symbol to predict.
  Size steps() const { return length_ - 1; }
  /// Symbols of time steps [start, start + count) of every stream: (count, B). IndexError when out
  /// of range.
  Indices chunk(Size start, Size count) const;

 private:
  std::string symbols_;  // one byte each, stream by stream
  Size batch_, length_;
};

/// A text split for training (the first nine tenths) and validation (the rest).
struct Corpus {
  /// `name` is what messages call the text. Validation uses at most `most_valid` bytes. FileError
  /// if either part is shorter than a chunk and one more step for each stream.
  Corpus(std::string_view text, const std::string& name, Size chunk, Size batch,
         Size most_valid = std::numeric_limits<Size>::max());

  Vocabulary vocabulary;  ///< of both parts
  Streams train, valid;
};

}  // namespace hindsight::tasks
