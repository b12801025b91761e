#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include "support.h"

#ifdef HINDSIGHT_ADDRESS_SANITIZER

// The sanitizer replaces new itself.
hindsight::test::SystemMemory hindsight::test::system_memory() {
  return {pool::statistics().system_allocations, 0};
}

hindsight::test::FailingMemory::FailingMemory(int) {}
hindsight::test::FailingMemory::~FailingMemory() = default;
bool hindsight::test::FailingMemory::works() { return false; }

#else

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> allocations{0}, releases{0};
thread_local int successes = -1;  // allocations before they fail; negative: they do not

void* counted(std::size_t bytes, std::size_t alignment) {
  if (successes == 0) throw std::bad_alloc();
  if (successes > 0) --successes;
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* block = alignment > alignof(std::max_align_t)
                    ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                    : std::malloc(bytes == 0 ? 1 : bytes);
  if (!block) throw std::bad_alloc();
  return block;
}

void uncounted(void* block) {
  if (block) releases.fetch_add(1, std::memory_order_relaxed);
  std::free(block);
}

}  // namespace

hindsight::test::FailingMemory::FailingMemory(int allowed) { successes = allowed; }
hindsight::test::FailingMemory::~FailingMemory() { successes = -1; }
bool hindsight::test::FailingMemory::works() { return true; }

// Counts every new of the program, including the library's pool.
void* operator new(std::size_t bytes) { return counted(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { uncounted(block); }
void operator delete(void* block, std::size_t) noexcept { uncounted(block); }
void operator delete(void* block, std::align_val_t) noexcept { uncounted(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { uncounted(block); }

hindsight::test::SystemMemory hindsight::test::system_memory() {
  return {allocations, allocations - releases};
}

#endif
