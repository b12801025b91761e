#include "char_sampling.h"

#include <algorithm>
#include <cmath>

namespace hindsight::tasks {
namespace {

/// Draws a symbol with probability softmax(logits / temperature).
Size draw(const Tensor& logits, double temperature, Rng& rng) {
  std::vector<double> weights = logits.to_vector();
  const auto likeliest = std::max_element(weights.begin(), weights.end());
  if (temperature == 0) return likeliest - weights.begin();
  const double highest = *likeliest;
  double total = 0;
  for (double& w : weights) total += w = std::exp((w - highest) / temperature);
  double left = rng.uniform() * total;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return static_cast<Size>(i);
  }
  return likeliest - weights.begin();  // rounding left more than the weights
}

std::vector<Size> symbols_of(const std::string& prime, const Vocabulary& vocabulary) {
  if (prime.empty()) return {std::max<Size>(0, vocabulary.symbol('\n'))};
  std::vector<Size> symbols;
  for (std::size_t i = 0; i < prime.size(); ++i) {
    symbols.push_back(vocabulary.symbol(prime[i]));
    if (symbols.back() >= 0) continue;
    const auto byte = static_cast<unsigned char>(prime[i]);
    const bool printable = byte > ' ' && byte < 127;
    fail<IndexError>(
        "the prime holds byte 0x{:02x}{} at position {}, "
        "which is not among the {} bytes of the text that the model was trained on",
        byte, printable ? fmt::format(" ('{}')", prime[i]) : "", i, vocabulary.size());
  }
  return symbols;
}

}  // namespace

void sample(CharModel& model, const CharSamplingOptions& options,
            const std::function<void(char)>& put) {
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    fail<OptionError>("sample: temperature {}; a finite number of at least 0 is needed",
                      options.temperature);
  }
  const nn::Evaluation mode;
  const Tape::Pause pause;
  Rng rng(options.seed);
  const std::vector<Size> prime = symbols_of(options.prime, model.vocabulary());
  const auto read = static_cast<Size>(prime.size());
  CharModel::Prediction prediction = model(Indices(prime, {read, 1}));
  for (Size written = 0; written < options.length; ++written) {
    const Variable last = prediction.logits[prediction.logits.size(0) - 1];
    const Size symbol = draw(last.value(), options.temperature, rng);
    put(model.vocabulary().byte(symbol));
    prediction = model(Indices(std::vector<Size>{symbol}, {1, 1}), prediction.final);
  }
}

std::string sample(CharModel& model, const CharSamplingOptions& options) {
  std::string text;
  sample(model, options, [&](char byte) { text.push_back(byte); });
  return text;
}

}  // namespace hindsight::tasks
