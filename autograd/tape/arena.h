#pragma once
#include <hindsight/autograd/tensor/pool.h>

#include <cstddef>
#include <cstdint>

namespace hindsight {

/// Memory for the operations of a tape and their operands, one block after the other in the order
/// of recording, so that a sweep reads it sequentially. Blocks may be released in any order; the
/// memory of one is used again once all newer blocks are released, as they are by a sweep that
/// frees the newest operation first. Sizes and positions are in bytes.
class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// std::bad_alloc when memory is exhausted. `alignment`: a power of two from 8 to 64.
  void* allocate(std::size_t bytes, std::size_t alignment = kAlignment) {
    std::size_t at = newest_ ? position_after(newest_->end, alignment) : 0;
    if (!newest_ || at + bytes > newest_->bytes) at = add_chunk(bytes, alignment);
    return newest_->add(at, bytes);
  }
  /// `block` may be of any arena.
  static void release(void* block);

 private:
  static constexpr std::size_t kAlignment = 8;

  /// Stored before each block.
  struct Header {
    std::uint32_t at;           // position of the block in its chunk
    std::uint32_t before : 31;  // of the block before it, 0 for the first
    std::uint32_t released : 1;
#ifdef HINDSIGHT_ADDRESS_SANITIZER
    std::uint64_t bytes;  // of the block, which is poisoned once it is released
#endif
  };
  struct Chunk {
    Arena* arena;
    Chunk* older;
    std::size_t bytes;        // of the chunk
    std::size_t end;          // where the next block's header may start
    std::uint32_t last : 31;  // position of that block, 0 if there is none

    std::byte* at(std::size_t position) { return reinterpret_cast<std::byte*>(this) + position; }
    void* add(std::size_t position, std::size_t size);
    void drop_released();
  };

  static Header& header_of(void* block) { return static_cast<Header*>(block)[-1]; }
  static std::size_t position_after(std::size_t end, std::size_t alignment) {
    return (end + sizeof(Header) + alignment - 1) & ~(alignment - 1);
  }
  std::size_t add_chunk(std::size_t bytes, std::size_t alignment);

  Chunk* newest_ = nullptr;
};

inline void* Arena::Chunk::add(std::size_t position, std::size_t size) {
  std::byte* const block = at(position);
  pool::unpoison(block - sizeof(Header), size + sizeof(Header));
  Header& header = header_of(block);
  header.at = static_cast<std::uint32_t>(position);
  header.before = last;
  header.released = false;
#ifdef HINDSIGHT_ADDRESS_SANITIZER
  header.bytes = size;
#endif
  last = position & 0x7fffffff;
  end = position + size;
  return block;
}

}  // namespace hindsight
