#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "compare.h"

/// Programs are run in processes of their own, so that one that crashes ends no more than itself.
namespace hindsight::random_programs {

/// What is wrong with a program, by all comparisons, or by one of them done several times. A crash
/// is a failure of the comparison it happened in. Nothing of a program that is not sound.
std::optional<Failure> judge(const Program& program);
std::optional<Failure> judge_again(const Program& program, const std::string& comparison);

/// How far a run over seeds is.
struct Count {
  Size programs = 0, comparisons = 0;
};

/// Compares the programs of seeds `first` to `last` on some threads. `failed` is told the seeds of
/// those that fail or crash and what is wrong, and `go_on` now and then asked whether to.
Count run_seeds(std::uint64_t first, std::uint64_t last, int threads,
                const std::function<void(std::uint64_t seed, const std::string& what)>& failed,
                const std::function<bool(const Count&)>& go_on);

}  // namespace hindsight::random_programs
