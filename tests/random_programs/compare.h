#pragma once
#include <functional>
#include <optional>
#include <string>

#include "program.h"

namespace hindsight::random_programs {

/// A comparison that came out wrong.
struct Failure {
  std::string comparison;  ///< its name
  std::string text;        ///< with the numbers
};

/// Does every comparison that a program is fit for, until one fails.
class Comparisons {
 public:
  explicit Comparisons(const Program& program) : program_(program) {}

  /// Told the name of each comparison before it begins.
  void on_begin(std::function<void(const char*)> f) { begin_ = std::move(f); }
  std::optional<Failure> run();
  Size count() const { return count_; }  ///< comparisons done

 private:
  const Program& program_;
  std::function<void(const char*)> begin_;
  Size count_ = 0;
};

}  // namespace hindsight::random_programs
