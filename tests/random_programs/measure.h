#pragma once
#include <string>
#include <vector>

#include "execution.h"

namespace hindsight::random_programs {

using Tensors = std::vector<Tensor>;

/// A gradient, or what else there is one of for every input.
struct Derivative {
  double loss = 0;
  Tensors values;
};

/// A program on a tape of its own.
class Recording {
 public:
  explicit Recording(const Instance& instance, RunOptions options = {})
      : execution_(instance, std::move(options)),
        inputs_(instance.inputs()),
        loss_(execution_.loss(inputs_)) {}

  Tape& tape() { return tape_; }
  const std::vector<Variable>& inputs() const { return inputs_; }
  const Variable& loss() const { return loss_; }
  Tensors gradient();
  /// With the sweep recorded.
  std::vector<Variable> recorded_gradient();
  double tangent(const Tensors& directions);

 private:
  Execution execution_;  // outlives the tape
  Tape tape_;
  std::vector<Variable> inputs_;
  Variable loss_;
};

Tensors copies(const std::vector<Variable>& variables);
/// One random tensor for each input.
Tensors random_directions(const Instance& instance, std::uint64_t seed);
std::vector<Variable> as_variables(const Tensors& tensors);

/// Sum of products of the elements, and of their magnitudes.
struct Product {
  double sum = 0, magnitude = 0;
};
Product dot(const Tensors& a, const Tensors& b);
double largest(const Tensors& tensors);

/// What differs most between two lists of tensors by more than `relative` of the largest element
/// (or of 1/100); empty where nothing does.
std::string difference(const Instance& instance, const Tensors& got, const Tensors& wanted,
                       double relative);
/// The same for bits.
std::string difference_of_bits(const Instance& instance, const Tensors& got, const Tensors& wanted);

/// Moves the inputs along directions (empty tensors: not at all) while alive.
class Moved {
 public:
  Moved(Instance& instance, const Tensors& directions, double by);
  ~Moved();
  Moved(const Moved&) = delete;
  Moved& operator=(const Moved&) = delete;

 private:
  Instance& instance_;
  Tensors before_;
};

}  // namespace hindsight::random_programs
