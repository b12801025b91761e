#include <hindsight/autograd/tensor/blas.h>
#include <hindsight/autograd/tensor/matrix_product.h>

#include <algorithm>

namespace hindsight {

Size padded_columns(Size columns, DType dtype) {
  constexpr Size kWay = 4096, kLine = 64;  // bytes
  return columns * bytes_of(dtype) % kWay == 0 ? columns + kLine / bytes_of(dtype) : columns;
}

bool fits_blas(const Layout& m) {
  const auto dense = [&](int inner, int outer) {
    return (m.shape[inner] == 1 || m.stride(inner) == 1) &&
           (m.shape[outer] == 1 || m.stride(outer) >= std::max<Size>(1, m.shape[inner]));
  };
  return dense(1, 0) || dense(0, 1);
}

namespace {

template <class T>
blas::MatrixOf<T> as_matrix(T* data, const Layout& m) {
  const bool rows_dense = (m.shape[1] == 1 || m.stride(1) == 1) &&
                          (m.shape[0] == 1 || m.stride(0) >= std::max<Size>(1, m.shape[1]));
  const int inner = rows_dense ? 1 : 0;
  const Size stride =
      m.shape[1 - inner] == 1 ? std::max<Size>(1, m.shape[inner]) : m.stride(1 - inner);
  return {data, m.shape[0], m.shape[1], stride, !rows_dense};
}

template <class T>
void multiply(const Tensor& a, const Tensor& b, bool accumulate, T* c, const Layout& c_layout) {
  blas::multiply(as_matrix<const T>(a.data<T>(), a.layout()),
                 as_matrix<const T>(b.data<T>(), b.layout()), accumulate ? T(1) : T(0),
                 as_matrix<T>(c, c_layout));
}

}  // namespace

void multiply_into(const Tensor& a, const Tensor& b, bool accumulate, std::byte* base,
                   const Layout& layout) {
  dispatch(a.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* to = reinterpret_cast<T*>(base) + layout.offset;
    if (!as_matrix<T>(to, layout).transposed) return multiply<T>(a, b, accumulate, to, layout);
    // Columns are contiguous: (a b)^T = b^T a^T.
    const std::array<int, kMaxRank> flip{1, 0};
    multiply<T>(b.view(b.layout().permute(flip)), a.view(a.layout().permute(flip)), accumulate, to,
                layout.permute(flip));
  });
}

}  // namespace hindsight
