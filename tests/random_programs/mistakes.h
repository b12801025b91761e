#pragma once
#include <functional>
#include <string>
#include <vector>

#include "execution.h"

/// Wrong derivatives, planted where an operation of a random program reads a value.
namespace hindsight::random_programs {

/// An input of an operation: what is known of it when the program runs.
struct Use {
  const Step* step = nullptr;
  std::size_t input = 0;
  Shape shape;
  Size output_elements = 0;  ///< of the operation
  std::size_t visit = 0;     ///< how often the operation had read it before in one run
  bool second = false;       ///< the value was read once before, here or elsewhere
};

/// A wrong derivative. What it makes of a gradient is called with the input's value, and with the
/// value that the same use had in the call before.
struct Mistake {
  const char* name;
  bool (*fits)(const Use& use);
  Tensor (*wrong)(const Tensor& gradient, const Tensor& value, const Tensor& before);
  bool once = false;  ///< in that visit alone
};

const std::vector<Mistake>& mistakes();

/// A mistake in one operation of a program.
class Plant {
 public:
  /// One that fits the program, by seed; none where nothing does.
  Plant(const Instance& instance, std::uint64_t seed);

  explicit operator bool() const { return mistake_ != nullptr; }
  const char* name() const { return mistake_->name; }
  const Use& use() const { return use_; }
  /// For each run of the program, which makes the mistake.
  RunOptions options();
  /// Forgets the calls before.
  void forget() { before_.clear(); }

  static constexpr const char* kOperation = "planted";  ///< what makes the mistake, on the tape

 private:
  const Mistake* mistake_ = nullptr;
  Use use_;
  std::vector<Tensor> before_;  ///< the values of each run of the use
};

}  // namespace hindsight::random_programs
