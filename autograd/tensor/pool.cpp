#include <hindsight/autograd/tensor/pool.h>

#include <array>
#include <new>
#include <type_traits>

namespace hindsight::pool {
namespace {

struct Idle {
  Idle* next;
};

constexpr std::size_t kClasses = kFineClasses + 4 * 40;

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

void* allocate(SizeClass size) {
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

void release(void* block, SizeClass size) {
  lists.statistics.bytes_in_use -= static_cast<std::int64_t>(size.bytes);
  Class& list = lists.classes[size.index];
  if (list.lent == 0 || lists.closed) return system_release(block);
  --list.lent;
  auto* idle = static_cast<Idle*>(block);
  idle->next = list.idle;
  list.idle = idle;
  // The first word links the free list and stays readable.
  poison(idle + 1, size.bytes - sizeof(Idle));
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
