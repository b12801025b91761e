// The memory of a tape's operations: order, alignment, release in any order, chunks.
#include <hindsight/autograd/autograd.h>

#include <cstring>
#include <vector>

#include "support.h"

namespace hindsight::test {
namespace {

std::int64_t bytes_in_use() { return pool::statistics().bytes_in_use; }

TEST_CASE("records follow one another, and the newest memory is used again") {
  Arena arena;
  auto* a = static_cast<std::byte*>(arena.allocate(40));
  auto* b = static_cast<std::byte*>(arena.allocate(24));
  CHECK(b - a >= 48);  // with a header of 8 bytes, with AddressSanitizer of 16
  CHECK(b - a <= 56);
  auto* c = static_cast<std::byte*>(arena.allocate(3, 64));
  CHECK(reinterpret_cast<std::uintptr_t>(c) % 64 == 0);
  Arena::release(c);
  Arena::release(b);
  CHECK(arena.allocate(16) == b);
  Arena::release(b);
  Arena::release(a);
  CHECK(arena.allocate(8) == a);
  Arena::release(a);
}

TEST_CASE("memory that is released within the others is used again once the newer ones are") {
  Arena arena;
  void *a = arena.allocate(32), *b = arena.allocate(32), *c = arena.allocate(32);
  Arena::release(a);
  Arena::release(b);
  CHECK(arena.allocate(32) > c);
  Arena other;
  void* d = other.allocate(32);
  Arena::release(d);
  CHECK(other.allocate(32) == d);
  Arena::release(d);
}

TEST_CASE("chunks are added as needed, and returned with their last record") {
  const std::int64_t before = bytes_in_use();
  {
    Arena arena;
    Rng rng{1};
    std::vector<std::pair<unsigned char*, std::size_t>> blocks;
    for (int i = 0; i < 20000; ++i) {
      const auto size = static_cast<std::size_t>(1 + rng.below(i % 500 == 0 ? 500000 : 300));
      blocks.emplace_back(static_cast<unsigned char*>(arena.allocate(size)), size);
      std::memset(blocks.back().first, i % 251, size);
    }
    const auto intact = [](unsigned char* block, std::size_t size, int i) {
      return block[0] == i % 251 && block[size - 1] == i % 251;
    };
    for (int i = 0; i < 20000; i += 3) {  // some out of order
      const auto [block, size] = blocks[static_cast<std::size_t>(i)];
      CHECK_MESSAGE(intact(block, size, i), i);
      Arena::release(block);
    }
    CHECK(bytes_in_use() > before);
    for (int i = 19999; i >= 0; --i) {
      if (i % 3 == 0) continue;
      const auto [block, size] = blocks[static_cast<std::size_t>(i)];
      CHECK_MESSAGE(intact(block, size, i), i);
      Arena::release(block);
    }
    CHECK(bytes_in_use() == before);
    arena.allocate(100);
  }
  CHECK(bytes_in_use() == before);  // also with a record left
}

TEST_CASE("an allocation that fails leaves the arena as it was") {
  Arena arena;
  void* a = arena.allocate(32);
  CHECK_THROWS_AS(arena.allocate(std::size_t{1} << 40), std::bad_alloc);
  void* b = arena.allocate(32);
  CHECK(b > a);
  Arena::release(b);
  Arena::release(a);
}

}  // namespace
}  // namespace hindsight::test
