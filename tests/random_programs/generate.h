#pragma once
#include "program.h"

namespace hindsight::random_programs {

/// The random program of a seed: differentiable where it stands, away from kinks, its values tame.
Program generate(std::uint64_t seed);

/// Whether a program runs, its values are tame, and its loss is recorded.
bool is_sound(const Program& program);

}  // namespace hindsight::random_programs
