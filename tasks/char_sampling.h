#pragma once
#include <functional>

#include "char_model.h"

namespace hindsight::tasks {

struct CharSamplingOptions {
  Size length = 500;
  double temperature = 0.8;  ///< divides the logits; 0 always takes the likeliest byte
  std::string prime = "";    ///< read before writing; a line's end when empty
  std::uint64_t seed = 1;
};

/// Lets the model write: calls `put` with `length` bytes, one after the other. IndexError names a
/// byte of the prime that the model does not know.
void sample(CharModel& model, const CharSamplingOptions& options,
            const std::function<void(char)>& put);

/// The same as a string.
std::string sample(CharModel& model, const CharSamplingOptions& options);

}  // namespace hindsight::tasks
