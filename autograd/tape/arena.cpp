#include <hindsight/autograd/tape/arena.h>

#include <algorithm>

namespace hindsight {
namespace {

// The first chunk of a tape is small, because most tapes of tests and of nested sweeps are; later
// ones double.
constexpr std::size_t kFirstChunk = 4 << 10, kLargestChunk = 256 << 10;

}  // namespace

Arena::~Arena() {
  while (Chunk* chunk = newest_) {
    newest_ = chunk->older;
    pool::release(chunk, chunk->bytes, 0);
  }
}

std::size_t Arena::add_chunk(std::size_t bytes, std::size_t alignment) {
  const std::size_t at = position_after(sizeof(Chunk), alignment);
  std::size_t size = newest_ ? std::min(2 * newest_->bytes, kLargestChunk) : kFirstChunk;
  if (at + bytes > UINT32_MAX / 2) throw std::bad_alloc();
  size = std::max(size, at + bytes);
  auto* const chunk = static_cast<Chunk*>(pool::allocate(size, 0));
  *chunk = {this, newest_, size, sizeof(Chunk), 0};
  pool::poison(chunk + 1, size - sizeof(Chunk));
  newest_ = chunk;
  return at;
}

void Arena::Chunk::drop_released() {
  while (last != 0) {
    const Header header = header_of(at(last));
    if (!header.released) return;
    last = header.before;
    end = header.at - sizeof(Header);
  }
  end = sizeof(Chunk);
}

void Arena::release(void* block) {
  Header& header = header_of(block);
  auto* const chunk = reinterpret_cast<Chunk*>(static_cast<std::byte*>(block) - header.at);
  Arena& arena = *chunk->arena;
  header.released = true;
#ifdef HINDSIGHT_ADDRESS_SANITIZER
  pool::poison(block, header.bytes);
#endif
  chunk->drop_released();
  while (arena.newest_ && arena.newest_->last == 0) {
    Chunk* const empty = arena.newest_;
    arena.newest_ = empty->older;
    pool::release(empty, empty->bytes, 0);
  }
}

}  // namespace hindsight
