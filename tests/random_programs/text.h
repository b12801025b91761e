#pragma once
#include <map>
#include <string>

#include "program.h"

namespace hindsight::random_programs {

/// The program as it would be written, with the shapes of its values.
std::string to_text(const Program& program);

/// The shapes of its values, up to where it can run.
std::map<int, Shape> shapes_of(const Program& program);

}  // namespace hindsight::random_programs
