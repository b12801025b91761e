#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "program.h"

/// How many of the mistakes planted in random programs the gradient check catches.
namespace hindsight::random_programs {

/// What the check says of one program, right and with a mistake.
struct PlantedResult {
  std::string mistake;  ///< its name
  double change = 0;    ///< of the gradient, as a share of its largest element
  bool changed() const { return change > 1e-6; }
  std::string alarm;      ///< what the check says of the right program, where it fails
  bool caught = false;    ///< the report on the wrong one fails
  bool nameable = false;  ///< no operation changes gradients on purpose, which is a mistake too
  bool named = false;     ///< the report blames the operation
  std::string report;
};

/// Nothing for a program in which no mistake fits.
std::optional<PlantedResult> plant_mistake(const Program& program);

struct PlantedCount {
  Size programs = 0, alarms = 0, changed = 0, caught = 0, nameable = 0, named = 0;
  double share() const {
    return changed > 0 ? static_cast<double>(caught) / static_cast<double>(changed) : 0;
  }
  std::string to_string() const;
};

/// Plants a mistake in each of the programs. `look` is shown every result, and false ends the run.
PlantedCount plant_mistakes(
    std::uint64_t first, std::uint64_t last,
    const std::function<bool(std::uint64_t seed, const std::optional<PlantedResult>&)>& look);

}  // namespace hindsight::random_programs
