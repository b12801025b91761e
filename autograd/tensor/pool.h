#pragma once
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

// g++ and clang++ announce AddressSanitizer in different ways.
#if defined(__SANITIZE_ADDRESS__)
#define HINDSIGHT_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HINDSIGHT_ADDRESS_SANITIZER 1
#endif
#endif
#ifdef HINDSIGHT_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

/// Recycled memory. A released block returns to the free list of its size class, of which each
/// thread has its own, so after the first training step nothing is allocated from the system. A
/// thread keeps at most as many free blocks as it has allocated; any beyond that, which other
/// threads allocated, are returned to the system. Blocks start on a cache line and end with kSpare
/// readable bytes, so that loops can load whole vector registers at the end of a row.
namespace hindsight::pool {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSpare = 64;  ///< readable bytes past the end of a block

/// Blocks of one size.
struct SizeClass {
  std::size_t index, bytes;
};
constexpr std::size_t kFineBytes = 1024, kFineClasses = kFineBytes / kAlignment;
constexpr std::size_t kMostBytes = (std::size_t{1} << 50) - kSpare;  ///< of a block

/// Multiples of 64 bytes up to 1 KiB, then four to a power of two (at most 25 % waste).
constexpr SizeClass size_class(std::size_t bytes) {
  if (bytes <= kFineBytes) {
    const std::size_t index = (bytes - 1) / kAlignment;
    return {index, (index + 1) * kAlignment};
  }
  // bytes > 1024: `power` is the largest power of two below bytes.
  const auto exponent = static_cast<std::size_t>(63 - __builtin_clzll(bytes - 1));
  const std::size_t power = std::size_t{1} << exponent, quarter = power / 4;
  const std::size_t step = (bytes - 1 - power) / quarter;
  return {kFineClasses + (exponent - 10) * 4 + step, power + (step + 1) * quarter};
}

void* allocate(SizeClass size);
void release(void* block, SizeClass size);

/// std::bad_alloc when memory is exhausted. Records, which no loop reads in whole vectors, need no
/// spare bytes.
inline void* allocate(std::size_t bytes, std::size_t spare = kSpare) {
  if (bytes > kMostBytes) throw std::bad_alloc();
  return allocate(size_class(bytes + spare));
}
/// The arguments are those of allocate().
inline void release(void* block, std::size_t bytes, std::size_t spare = kSpare) {
  release(block, size_class(bytes + spare));
}

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

/// Makes AddressSanitizer report any use of `bytes` bytes of an idle block.
inline void poison(void* block, std::size_t bytes) {
#ifdef HINDSIGHT_ADDRESS_SANITIZER
  ASAN_POISON_MEMORY_REGION(block, bytes);
#else
  (void)block, (void)bytes;
#endif
}
/// Ends this for a block in use.
inline void unpoison(void* block, std::size_t bytes) {
#ifdef HINDSIGHT_ADDRESS_SANITIZER
  ASAN_UNPOISON_MEMORY_REGION(block, bytes);
#else
  (void)block, (void)bytes;
#endif
}

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
