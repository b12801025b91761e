#include "memory.h"

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <new>

namespace hindsight::random_programs {
namespace {

thread_local std::int64_t count = 0, failing = std::numeric_limits<std::int64_t>::max();

}  // namespace

FailingMemory::FailingMemory(std::int64_t n) {
  count = 0;
  failing = n;
}

FailingMemory::~FailingMemory() { failing = std::numeric_limits<std::int64_t>::max(); }

std::int64_t FailingMemory::asked() { return count; }

namespace {

void* allocate(std::size_t bytes, std::size_t alignment) {
  if (count++ == failing) throw std::bad_alloc();
  void* block = alignment > alignof(std::max_align_t)
                    ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                    : std::malloc(bytes == 0 ? 1 : bytes);
  if (!block) throw std::bad_alloc();
  return block;
}

}  // namespace
}  // namespace hindsight::random_programs

// Every new of the program, the library's pool included.
void* operator new(std::size_t bytes) { return hindsight::random_programs::allocate(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return hindsight::random_programs::allocate(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }
