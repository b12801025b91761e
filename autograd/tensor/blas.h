#pragma once
#include <cstdint>
#include <string>

/// Matrix products: the one place that speaks BLAS. float32 goes to oneDNN where the build found it
/// and the product is large enough to gain, everything else to OpenBLAS.
namespace hindsight::blas {

/// A row-major matrix as BLAS sees it: `rows` by `columns` after transposition.
template <class T>
struct MatrixOf {
  T* data;
  std::int64_t rows, columns;
  std::int64_t stride;      ///< elements between the starts of two stored rows
  bool transposed = false;  ///< stored as columns by rows
};

/// c = a b + beta c, with a: (m, k), b: (k, n), c: (m, n), c stored untransposed. beta 0
/// overwrites.
void multiply(const MatrixOf<const float>& a, const MatrixOf<const float>& b, float beta,
              const MatrixOf<float>& c);
void multiply(const MatrixOf<const double>& a, const MatrixOf<const double>& b, double beta,
              const MatrixOf<double>& c);

/// to (columns, rows), its rows `stride` elements apart, = transpose of the contiguous from (rows,
/// columns).
void transpose(const float* from, std::int64_t rows, std::int64_t columns, float* to,
               std::int64_t stride);
void transpose(const double* from, std::int64_t rows, std::int64_t columns, double* to,
               std::int64_t stride);

/// Threads a large product may use; small ones always run on one, where a second thread only costs.
/// Starts as OMP_NUM_THREADS where set, else 1: more gain little on an idle machine and lose much
/// on a busy one.
void set_threads(int count);
int threads();

struct Info {
  std::string backend;  ///< "oneDNN 2.6.3 (float32), OpenBLAS 0.3.21" or "OpenBLAS 0.3.21"
  std::string kernels;  ///< the core OpenBLAS runs kernels for, "SkylakeX"
  std::string note;     ///< what was changed at start and why, or empty
  int threads;
};
Info info();

}  // namespace hindsight::blas
