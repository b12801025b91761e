#pragma once
#include <cstdint>

namespace hindsight::random_programs {

/// While alive, memory fails once on this thread: the n-th new (counted from 0) throws
/// std::bad_alloc.
class FailingMemory {
 public:
  explicit FailingMemory(std::int64_t n);
  ~FailingMemory();
  FailingMemory(const FailingMemory&) = delete;
  FailingMemory& operator=(const FailingMemory&) = delete;

  /// How often memory was asked for since the newest FailingMemory was made.
  static std::int64_t asked();
};

}  // namespace hindsight::random_programs
