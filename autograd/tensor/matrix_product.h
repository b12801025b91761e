#pragma once
#include <hindsight/autograd/tensor/tensor.h>

/// Products of matrices in memory.
namespace hindsight {

/// Elements from row to row of a matrix, with padding where rows would be a multiple of 4096 bytes
/// apart: such rows compete for the same few sets of the L1 cache, which slows products by up to
/// 10 %.
Size padded_columns(Size columns, DType dtype);

/// Whether the rows or the columns of a matrix are contiguous, as BLAS requires.
bool fits_blas(const Layout& m);

/// Writes a b to the matrix at `layout` from `base`, or adds it there (`accumulate`). a: (M, K),
/// b: (K, N); all three of one dtype, and in layouts that fit BLAS. Not checked.
void multiply_into(const Tensor& a, const Tensor& b, bool accumulate, std::byte* base,
                   const Layout& layout);

}  // namespace hindsight
