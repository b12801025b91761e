#pragma once
#include <hindsight/autograd/tensor/tensor.h>

/// Products of matrices in memory.
namespace hindsight {

/// Elements from row to row of a matrix: rows a multiple of 4096 bytes apart would compete for the
/// same few sets of the first cache, which costs the products up to 10 %, so these are padded.
Size padded_columns(Size columns, DType dtype);

/// Whether the rows or the columns of a matrix are dense in memory, as BLAS needs it.
bool fits_blas(const Layout& m);

/// to (+)= a b, where `to` is at `layout` from `base`, in rows or in columns. All three fit BLAS.
void multiply_into(const Tensor& a, const Tensor& b, bool accumulate, std::byte* base,
                   const Layout& layout);

}  // namespace hindsight
