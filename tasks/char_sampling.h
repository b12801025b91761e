#pragma once
#include <functional>

#include "char_model.h"

namespace hindsight::tasks {

struct CharSamplingOptions {
  Size length = 500;
  double temperature = 0.8;  ///< divides the logits; 0 always takes the likeliest byte
  std::string prime = "";    ///< bytes read before the first is written; a newline when empty
  std::uint64_t seed = 1;
};

/// Samples `length` bytes from the model and calls `put` with each. IndexError naming a byte of the
/// prime that the model does not know, OptionError for a negative temperature.
void sample(CharModel& model, const CharSamplingOptions& options,
            const std::function<void(char)>& put);

/// The same, returned as a string.
std::string sample(CharModel& model, const CharSamplingOptions& options);

}  // namespace hindsight::tasks
