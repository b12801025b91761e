#include <hindsight/autograd/tensor/pool.h>

#include <array>
#include <new>
#include <type_traits>

#ifdef HINDSIGHT_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace hindsight::pool {
namespace {

struct Idle {
  Idle* next;
};

// Size classes: multiples of 64 bytes up to 1 KiB, then four to a power of two (at most 25 %
// waste).
constexpr std::size_t kFine = 1024, kFineClasses = kFine / kAlignment;
constexpr std::size_t kClasses = kFineClasses + 4 * 40;
constexpr std::size_t kMostBytes = (std::size_t{1} << 50) - kSpare;  // size of the last class

struct SizeClass {
  std::size_t index, bytes;
};

SizeClass size_class(std::size_t bytes) {
  if (bytes <= kFine) {
    const std::size_t index = (bytes - 1) / kAlignment;
    return {index, (index + 1) * kAlignment};
  }
  // bytes > 1024: `power` is the largest power of two below bytes.
  const auto exponent = static_cast<std::size_t>(63 - __builtin_clzll(bytes - 1));
  const std::size_t power = std::size_t{1} << exponent, quarter = power / 4;
  const std::size_t step = (bytes - 1 - power) / quarter;
  return {kFineClasses + (exponent - 10) * 4 + step, power + (step + 1) * quarter};
}

struct Class {
  Idle* idle;
  // Blocks that this thread allocated less those it released. At zero a released block, which then
  // comes from another thread, is not kept: such blocks would pile up.
  std::int64_t lent;
};

// Has no destructor, so that objects destroyed late in a thread can still release blocks.
struct Lists {
  std::array<Class, kClasses> classes;
  Statistics statistics;
  bool closed;
};
static_assert(std::is_trivially_destructible_v<Lists>);
// Constant-initialised by the {}: otherwise every access would test a guard.
thread_local Lists lists{};

void system_release(void* block) { ::operator delete (block, std::align_val_t{kAlignment}); }

void poison(void* block, std::size_t bytes) {
#ifdef HINDSIGHT_ADDRESS_SANITIZER
  // The first word links the free list and stays readable.
  ASAN_POISON_MEMORY_REGION(static_cast<char*>(block) + sizeof(Idle), bytes - sizeof(Idle));
#else
  (void)block, (void)bytes;
#endif
}

void unpoison(void* block, std::size_t bytes) {
#ifdef HINDSIGHT_ADDRESS_SANITIZER
  ASAN_UNPOISON_MEMORY_REGION(block, bytes);
#else
  (void)block, (void)bytes;
#endif
}

std::size_t class_bytes(std::size_t index) {
  if (index < kFineClasses) return (index + 1) * kAlignment;
  const std::size_t power = std::size_t{1} << (10 + (index - kFineClasses) / 4);
  return power + ((index - kFineClasses) % 4 + 1) * (power / 4);
}

// Returns the free blocks to the system when the thread ends.
struct Closer {
  ~Closer() {
    trim();
    lists.closed = true;
  }
};
thread_local Closer closer;

}  // namespace

void* allocate(std::size_t bytes, std::size_t spare) {
  if (bytes > kMostBytes) throw std::bad_alloc();
  const SizeClass size = size_class(bytes + spare);
  Statistics& counts = lists.statistics;
  Class& list = lists.classes[size.index];
  void* block = list.idle;
  if (block) {
    unpoison(block, size.bytes);
    list.idle = static_cast<Idle*>(block)->next;
  } else {
    (void)closer;  // constructs it, so that its destructor runs when this thread ends
    block = ::operator new (size.bytes, std::align_val_t{kAlignment});
    ++counts.system_allocations;
  }
  ++list.lent;
  counts.bytes_in_use += static_cast<std::int64_t>(size.bytes);
  if (counts.bytes_in_use > counts.peak_bytes) counts.peak_bytes = counts.bytes_in_use;
  return block;
}

void release(void* block, std::size_t bytes, std::size_t spare) {
  const SizeClass size = size_class(bytes + spare);
  lists.statistics.bytes_in_use -= static_cast<std::int64_t>(size.bytes);
  Class& list = lists.classes[size.index];
  if (list.lent == 0 || lists.closed) return system_release(block);
  --list.lent;
  auto* idle = static_cast<Idle*>(block);
  idle->next = list.idle;
  list.idle = idle;
  poison(block, size.bytes);
}

Statistics statistics() { return lists.statistics; }

void reset_peak() { lists.statistics.peak_bytes = lists.statistics.bytes_in_use; }

void trim() {
  for (std::size_t index = 0; index < kClasses; ++index) {
    Class& list = lists.classes[index];
    while (Idle* block = list.idle) {
      list.idle = block->next;
      unpoison(block, class_bytes(index));
      system_release(block);
    }
  }
}

}  // namespace hindsight::pool
