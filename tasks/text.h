#pragma once
#include <hindsight/autograd/tensor/indices.h>

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace hindsight::tasks {

/// The symbols of a text: its distinct bytes, in order. A byte's symbol is its place among them.
class Vocabulary {
 public:
  Vocabulary() = default;
  explicit Vocabulary(std::string_view text);
  /// The opposite of to_hex(); an empty vocabulary where the digits are not what that writes.
  static Vocabulary from_hex(std::string_view hex);
  std::string to_hex() const;  ///< two digits a byte

  Size size() const { return static_cast<Size>(bytes_.size()); }
  char byte(Size symbol) const { return bytes_[static_cast<std::size_t>(symbol)]; }
  /// -1 for a byte that the text did not hold.
  Size symbol(char byte) const { return symbols_[static_cast<unsigned char>(byte)]; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::array<std::int16_t, 256> symbols_{};
};

/// Entropy of the bytes of a text, each by itself, in bits: what a model scores that knows how
/// often each occurs and nothing else.
double unigram_entropy(std::string_view text);

/// B equally long stretches of a text, read side by side. What does not fill the last is left out.
class Streams {
 public:
  Streams(std::string_view text, const Vocabulary& vocabulary, Size batch);

  Size batch() const { return batch_; }
  Size length() const { return length_; }
  /// Time steps that have a next symbol to predict.
  Size steps() const { return length_ - 1; }
  /// Symbols of time steps [start, start + count) of every stream: (count, B).
  Indices chunk(Size start, Size count) const;

 private:
  std::string symbols_;  // one byte each, stream by stream
  Size batch_, length_;
};

/// A text to learn from: the first nine tenths to train on, the rest to validate on.
struct Corpus {
  /// `name` is what messages call the text. Of the rest at most `most_valid` bytes are kept.
  /// FileError where either part is shorter than one chunk per stream.
  Corpus(std::string_view text, const std::string& name, Size chunk, Size batch,
         Size most_valid = std::numeric_limits<Size>::max());

  Vocabulary vocabulary;  ///< of both parts
  Streams train, valid;
};

}  // namespace hindsight::tasks
