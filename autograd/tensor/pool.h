#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

// g++ and clang++ announce AddressSanitizer in different ways.
#if defined(__SANITIZE_ADDRESS__)
#define HINDSIGHT_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HINDSIGHT_ADDRESS_SANITIZER 1
#endif
#endif

/// Recycled memory. A released block returns to the free list of its size class, of which each
/// thread has its own, so after the first training step nothing is allocated from the system. A
/// thread keeps at most as many free blocks as it has allocated; any beyond that, which other
/// threads allocated, are returned to the system. Blocks start on a cache line and end with kSpare
/// readable bytes, so that loops can load whole vector registers at the end of a row.
namespace hindsight::pool {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSpare = 64;  ///< readable bytes past the end of a block

/// std::bad_alloc when memory is exhausted. Records, which no loop reads in whole vectors, need no
/// spare bytes.
void* allocate(std::size_t bytes, std::size_t spare = kSpare);
void release(void* block, std::size_t bytes, std::size_t spare = kSpare);  ///< as in allocate()

/// Counters of the calling thread.
struct Statistics {
  std::int64_t system_allocations = 0;  ///< blocks allocated from the system by this thread
  /// Bytes allocated less bytes released, rounded up to size classes. A block that another thread
  /// releases is subtracted there.
  std::int64_t bytes_in_use = 0;
  std::int64_t peak_bytes = 0;  ///< highest bytes_in_use since the last reset_peak()
};
Statistics statistics();
void reset_peak();

/// Returns every idle block of the calling thread to the system.
void trim();

/// Lets standard containers use pooled memory.
template <class T>
struct Allocator {
  using value_type = T;
  Allocator() = default;
  template <class U>
  Allocator(const Allocator<U>&) {}  // NOLINT: containers convert it
  T* allocate(std::size_t count) { return static_cast<T*>(pool::allocate(count * sizeof(T))); }
  void deallocate(T* block, std::size_t count) { pool::release(block, count * sizeof(T)); }
  bool operator==(const Allocator&) const { return true; }
  bool operator!=(const Allocator&) const { return false; }
};

template <class T>
using Vector = std::vector<T, Allocator<T>>;

}  // namespace hindsight::pool
