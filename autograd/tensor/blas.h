#pragma once
#include <cstdint>
#include <string>

/// Matrix products: the only file that calls BLAS. float32 products use oneDNN where the build
/// found it and they are large enough to gain; all others use OpenBLAS.
namespace hindsight::blas {

/// A row-major matrix as BLAS sees it: (rows, columns) after transposition.
template <class T>
struct MatrixOf {
  T* data;
  std::int64_t rows, columns;
  std::int64_t stride;      ///< elements from the start of one stored row to the next
  bool transposed = false;  ///< stored as (columns, rows)
};

/// c = a b + beta c, with a: (m, k), b: (k, n), c: (m, n); c is not transposed. With beta 0, c is
/// overwritten without being read.
void multiply(const MatrixOf<const float>& a, const MatrixOf<const float>& b, float beta,
              const MatrixOf<float>& c);
void multiply(const MatrixOf<const double>& a, const MatrixOf<const double>& b, double beta,
              const MatrixOf<double>& c);

/// Writes the transpose of `from`, contiguous and (rows, columns), to `to`, which is (columns,
/// rows) with rows `stride` elements apart.
void transpose(const float* from, std::int64_t rows, std::int64_t columns, float* to,
               std::int64_t stride);
void transpose(const double* from, std::int64_t rows, std::int64_t columns, double* to,
               std::int64_t stride);

/// Sets how many threads a large product may use; small products always use one, as waking a second
/// costs more than it saves. OptionError for less than 1. The default is OMP_NUM_THREADS where set,
/// else 1: more threads gain little on an idle machine and lose much on a busy one.
void set_threads(int count);
int threads();

/// While active, products of this thread use one thread, whatever their size: for code that itself
/// runs on several threads. The first one should be active before these start, because OpenBLAS's
/// number of threads belongs to the whole program.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;
};

struct Info {
  std::string backend;  ///< "oneDNN 2.6.3 (float32), OpenBLAS 0.3.21" or "OpenBLAS 0.3.21"
  std::string kernels;  ///< the core whose kernels OpenBLAS runs, "SkylakeX"
  std::string note;     ///< which kernels were switched at first use or could not be; else empty
  int threads;
};
Info info();

}  // namespace hindsight::blas
