#pragma once
#include "contestants.h"

/// The matrix products of a training step and nothing else: what no implementation on this backend
/// can undercut.
namespace hindsight::bench {

struct Products {
  std::function<void()> run;
  std::vector<std::string> chosen;  ///< the way of each product: "forward: x beside h by step"
};

/// Tries every way of doing each product that a step could use (orientation, transposed copies made
/// beforehand, one product or one per step), and keeps the fastest. Takes a second or two.
Products best_products(const std::string& model, const Shape& shape);

}  // namespace hindsight::bench
