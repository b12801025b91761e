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
  std::string to_string() const { return comparison + ": " + text; }
};

/// Does every comparison that a program is fit for, until one fails; or one of them several times,
/// as each run draws other directions.
class Comparisons {
 public:
  explicit Comparisons(const Program& program) : program_(program) {}

  /// Told the name of each comparison before it begins.
  void on_begin(std::function<void(const char*)> f) { begin_ = std::move(f); }
  std::optional<Failure> run();
  std::optional<Failure> run(const std::string& name, int times);
  Size count() const { return count_; }  ///< comparisons done

 private:
  std::optional<Failure> run(const std::function<int(const char* name)>& times);

  const Program& program_;
  std::function<void(const char*)> begin_;
  Size count_ = 0;
};

}  // namespace hindsight::random_programs
