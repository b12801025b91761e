#pragma once
#include "lanes.h"

/// Transposition in registers, in tiles as wide as a vector.
namespace hindsight::bench {

/// rows[i][j] <-> rows[j][i].
template <class V>
inline void transpose_tile(V (&rows)[V::size]) {
  using T = typename V::value_type;
  T from[V::size][V::size];
  for (std::size_t i = 0; i < V::size; ++i) rows[i].store_unaligned(from[i]);
  T to[V::size];
  for (std::size_t j = 0; j < V::size; ++j) {
    for (std::size_t i = 0; i < V::size; ++i) to[i] = from[i][j];
    rows[j] = V::load_unaligned(to);
  }
}

#ifdef __AVX512F__
/// 16 by 16: transposes pairs, then fours within each 128-bit quarter, then the quarters.
template <>
inline void transpose_tile(Wide<float> (&rows)[16]) {
  __m512 pairs[16], fours[16], halves[16];
  for (std::size_t i = 0; i < 16; i += 2) {
    pairs[i] = _mm512_unpacklo_ps(rows[i], rows[i + 1]);
    pairs[i + 1] = _mm512_unpackhi_ps(rows[i], rows[i + 1]);
  }
  for (std::size_t i = 0; i < 16; i += 4) {  // fours[i + c]: columns c, 4 + c, 8 + c, 12 + c
    fours[i] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0x44);
    fours[i + 1] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0xee);
    fours[i + 2] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0x44);
    fours[i + 3] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0xee);
  }
  for (std::size_t c = 0; c < 4; ++c) {
    halves[c] = _mm512_shuffle_f32x4(fours[c], fours[4 + c], 0x88);
    halves[4 + c] = _mm512_shuffle_f32x4(fours[c], fours[4 + c], 0xdd);
    halves[8 + c] = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], 0x88);
    halves[12 + c] = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], 0xdd);
  }
  for (std::size_t c = 0; c < 4; ++c) {
    rows[c] = _mm512_shuffle_f32x4(halves[c], halves[8 + c], 0x88);
    rows[8 + c] = _mm512_shuffle_f32x4(halves[c], halves[8 + c], 0xdd);
    rows[4 + c] = _mm512_shuffle_f32x4(halves[4 + c], halves[12 + c], 0x88);
    rows[12 + c] = _mm512_shuffle_f32x4(halves[4 + c], halves[12 + c], 0xdd);
  }
}
#endif

}  // namespace hindsight::bench
