#include "text.h"

#include <algorithm>
#include <cmath>

namespace hindsight::tasks {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

std::array<Size, 256> count_bytes(std::string_view text) {
  std::array<Size, 256> counts{};
  for (char c : text) ++counts[static_cast<unsigned char>(c)];
  return counts;
}

std::size_t training_bytes(std::string_view text) {
  return static_cast<std::size_t>(static_cast<double>(text.size()) * 0.9);
}

/// Returns the text if both parts fill every stream with a chunk and the symbol after it.
std::string_view checked(std::string_view text, const std::string& name, Size chunk, Size batch) {
  if (text.empty()) fail<FileError>("{} is empty", name);
  const auto train = static_cast<Size>(training_bytes(text));
  const Size valid = static_cast<Size>(text.size()) - train;
  const Size needed = batch * (chunk + 1);
  for (const auto& [part, has] : {std::pair{"training part", train}, {"last tenth", valid}}) {
    if (has >= needed) continue;
    fail<FileError>(
        "{} is too short: its {} has {} bytes and {} streams of {} steps need {}; "
        "use a longer text or smaller chunk and batch sizes",
        name, part, has, batch, chunk, needed);
  }
  return text;
}

}  // namespace

Vocabulary::Vocabulary(std::string_view text) {
  symbols_.fill(-1);
  const std::array<Size, 256> counts = count_bytes(text);
  for (std::size_t byte = 0; byte < counts.size(); ++byte) {
    if (counts[byte] == 0) continue;
    symbols_[byte] = static_cast<std::int16_t>(bytes_.size());
    bytes_.push_back(static_cast<char>(byte));
  }
}

Vocabulary Vocabulary::from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    const std::size_t high = kDigits.find(hex[i]), low = kDigits.find(hex[i + 1]);
    if (high == kDigits.npos || low == kDigits.npos) return Vocabulary("");
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  const Vocabulary result(bytes);
  return result.to_hex() == hex ? result : Vocabulary("");
}

std::string Vocabulary::to_hex() const {
  std::string hex;
  for (char c : bytes_) {
    hex.push_back(kDigits[static_cast<unsigned char>(c) / 16]);
    hex.push_back(kDigits[static_cast<unsigned char>(c) % 16]);
  }
  return hex;
}

double unigram_entropy(std::string_view text) {
  double entropy = 0;
  for (Size count : count_bytes(text)) {
    const double p = static_cast<double>(count) / static_cast<double>(text.size());
    if (count > 0) entropy -= p * std::log2(p);
  }
  return entropy;
}

Streams::Streams(std::string_view text, const Vocabulary& vocabulary, Size batch)
    : batch_(batch), length_(static_cast<Size>(text.size()) / batch) {
  symbols_.resize(static_cast<std::size_t>(length_ * batch_));
  std::transform(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(symbols_.size()),
                 symbols_.begin(), [&](char c) { return static_cast<char>(vocabulary.symbol(c)); });
}

Indices Streams::chunk(Size start, Size count) const {
  if (start < 0 || count < 1 || start + count > length_) {
    fail<IndexError>("streams: steps {} to {} of {}", start, start + count, length_);
  }
  const Indices result(Shape{count, batch_});
  for (Size b = 0; b < batch_; ++b) {
    const auto* stream = reinterpret_cast<const unsigned char*>(symbols_.data()) + b * length_;
    for (Size t = 0; t < count; ++t) result.data()[t * batch_ + b] = stream[start + t];
  }
  return result;
}

Corpus::Corpus(std::string_view text, const std::string& name, Size chunk, Size batch,
               Size most_valid)
    : vocabulary(checked(text, name, chunk, batch)),
      train(text.substr(0, training_bytes(text)), vocabulary, batch),
      valid(text.substr(training_bytes(text), static_cast<std::size_t>(most_valid)), vocabulary,
            batch) {}

}  // namespace hindsight::tasks
