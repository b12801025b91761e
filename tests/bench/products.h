#pragma once
#include "contestants.h"

/// The matrix products of a training step and nothing else: a lower bound for every implementation
/// on this backend.
namespace hindsight::bench {

struct Products {
  std::function<void()> run;
  std::vector<std::string> chosen;  ///< the way of each product: "forward: x beside h by step"
};

/// Times every way of computing each product that a step could use (orientation, transposed copies
/// made in advance, one product or one for each step), and chooses the fastest. Takes a second or
/// two.
Products best_products(const std::string& model, const Shape& shape);

}  // namespace hindsight::bench
