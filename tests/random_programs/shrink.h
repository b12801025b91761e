#pragma once
#include <functional>

#include "program.h"

namespace hindsight::random_programs {

/// A shorter program that `fails` like this one: outputs and steps dropped, bodies taken apart,
/// sizes and numbers made small, until nothing more can go. `fails` is asked about candidates, not
/// all of which run; where `go_on` says no, what is found so far is returned.
Program shrink(Program program, const std::function<bool(const Program&)>& fails,
               const std::function<bool()>& go_on);

}  // namespace hindsight::random_programs
