#include <cblas.h>
#include <fmt/format.h>
#include <hindsight/autograd/tensor/blas.h>
#ifdef HINDSIGHT_HAS_DNNL
#include <oneapi/dnnl/dnnl.h>
#endif

#include <hindsight/autograd/tensor/error.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

// Exported by OpenBLAS builds that choose kernels at run time, null in the others.
extern "C" __attribute__((weak)) void gotoblas_dynamic_init(void);

#ifdef HINDSIGHT_HAS_DNNL
// From the OpenMP runtime that oneDNN links; clang's omp.h would need a package of its own.
extern "C" int omp_get_max_threads(void);
extern "C" void omp_set_num_threads(int);
#endif

namespace hindsight::blas {
namespace {

// Waking a second thread takes some 10 us, which 30 MFLOP outweigh.
constexpr double kThreadedFlops = 3e7;

// The default is one: threads wait for each other in every product, which takes twice the time of
// one thread when anything else runs on the machine.
int initial_threads() {
  const char* asked = std::getenv("OMP_NUM_THREADS");
  return asked ? std::max(1, std::atoi(asked)) : 1;
}

thread_local int one_thread = 0;  // number of active OneThread

/// How products run: the kernels, chosen once at first use, and the number of threads.
struct Backend {
  std::string note;
  std::atomic<int> threads{initial_threads()};
  std::atomic<int> openblas_threads{0};

  Backend() { choose_kernels(); }

  // OpenBLAS 0.3.21 does not know newer AVX-512 cores and falls back to AVX2, at half the speed.
  void choose_kernels() {
#if defined(__x86_64__)
    const std::string core = openblas_get_corename();
    const bool wide = core == "SkylakeX" || core == "Cooperlake" || core == "SapphireRapids" ||
                      core == "Zen5" || core == "Zen4";
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (wide || !avx512 || std::getenv("OPENBLAS_CORETYPE")) return;
    if (gotoblas_dynamic_init == nullptr) {
      note = fmt::format(
          "OpenBLAS runs {} kernels on an AVX-512 machine and cannot be switched; "
          "OPENBLAS_CORETYPE=SkylakeX may be faster",
          core);
      return;
    }
    setenv("OPENBLAS_CORETYPE", "SkylakeX", 1);
    gotoblas_dynamic_init();
    unsetenv("OPENBLAS_CORETYPE");
    note = fmt::format("switched from {} kernels to AVX-512", core);
#endif
  }

  /// Threads for a product of (m, k) with (k, n).
  int threads_for(double m, double n, double k) const {
    if (one_thread > 0 || 2 * m * n * k < kThreadedFlops) return 1;
    return threads.load(std::memory_order_relaxed);
  }
  /// Calls OpenBLAS only when the count changes.
  void use_openblas_threads(int count) {
    if (openblas_threads.exchange(count, std::memory_order_relaxed) != count) {
      openblas_set_num_threads(count);
    }
  }
};

Backend& backend() {
  static Backend instance;
  return instance;
}

CBLAS_TRANSPOSE flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

template <class T>
void scale(T beta, const MatrixOf<T>& c) {
  for (std::int64_t i = 0; i < c.rows; ++i) {
    for (std::int64_t j = 0; j < c.columns; ++j) {
      T& value = c.data[i * c.stride + j];
      value = beta == T(0) ? T(0) : beta * value;
    }
  }
}

void openblas_product(const MatrixOf<const float>& a, const MatrixOf<const float>& b, float beta,
                      const MatrixOf<float>& c) {
  cblas_sgemm(CblasRowMajor, flag(a.transposed), flag(b.transposed), static_cast<int>(c.rows),
              static_cast<int>(c.columns), static_cast<int>(a.columns), 1.0f, a.data,
              static_cast<int>(a.stride), b.data, static_cast<int>(b.stride), beta, c.data,
              static_cast<int>(c.stride));
}

void openblas_product(const MatrixOf<const double>& a, const MatrixOf<const double>& b, double beta,
                      const MatrixOf<double>& c) {
  cblas_dgemm(CblasRowMajor, flag(a.transposed), flag(b.transposed), static_cast<int>(c.rows),
              static_cast<int>(c.columns), static_cast<int>(a.columns), 1.0, a.data,
              static_cast<int>(a.stride), b.data, static_cast<int>(b.stride), beta, c.data,
              static_cast<int>(c.stride));
}

#ifdef HINDSIGHT_HAS_DNNL
// Up to these sizes, m n k, OpenBLAS's kernels for small matrices beat oneDNN; measured on Zen 4
// and Zen 5.
constexpr std::int64_t kSmallRow = 1 << 17;        // products of one row
constexpr std::int64_t kSmallProduct = 1'000'000;  // the largest that its small-matrix kernels take
constexpr std::int64_t kSmallTransposed = 1 << 15;  // products with a transposed right side
constexpr std::int64_t kNarrow = 64;  // columns of a product with a transposed left side

bool dnnl_product(const MatrixOf<const float>& a, const MatrixOf<const float>& b, float beta,
                  const MatrixOf<float>& c, int threads) {
  const std::int64_t size = c.rows * c.columns * a.columns;
  const std::int64_t small = c.rows == 1    ? kSmallRow
                             : b.transposed ? kSmallTransposed
                                            : kSmallProduct;
  if (size <= small || (a.transposed && c.columns < kNarrow)) return false;
  if (omp_get_max_threads() != threads) omp_set_num_threads(threads);
  return dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', c.rows, c.columns,
                    a.columns, 1.0f, a.data, a.stride, b.data, b.stride, beta, c.data,
                    c.stride) == dnnl_success;
}
#else
bool dnnl_product(const MatrixOf<const float>&, const MatrixOf<const float>&, float,
                  const MatrixOf<float>&, int) {
  return false;
}
#endif
bool dnnl_product(const MatrixOf<const double>&, const MatrixOf<const double>&, double,
                  const MatrixOf<double>&, int) {
  return false;
}

template <class T>
void multiply_any(const MatrixOf<const T>& a, const MatrixOf<const T>& b, T beta,
                  const MatrixOf<T>& c) {
  if (c.rows == 0 || c.columns == 0) return;
  if (a.columns == 0) return scale(beta, c);
  Backend& chosen = backend();
  const int threads = chosen.threads_for(
      static_cast<double>(c.rows), static_cast<double>(c.columns), static_cast<double>(a.columns));
  if (dnnl_product(a, b, beta, c, threads)) return;
  chosen.use_openblas_threads(threads);
  openblas_product(a, b, beta, c);
}

}  // namespace

void multiply(const MatrixOf<const float>& a, const MatrixOf<const float>& b, float beta,
              const MatrixOf<float>& c) {
  multiply_any<float>(a, b, beta, c);
}
void multiply(const MatrixOf<const double>& a, const MatrixOf<const double>& b, double beta,
              const MatrixOf<double>& c) {
  multiply_any<double>(a, b, beta, c);
}

void transpose(const float* from, std::int64_t rows, std::int64_t columns, float* to,
               std::int64_t stride) {
  cblas_somatcopy(CblasRowMajor, CblasTrans, static_cast<blasint>(rows),
                  static_cast<blasint>(columns), 1, from, static_cast<blasint>(columns), to,
                  static_cast<blasint>(stride));
}
void transpose(const double* from, std::int64_t rows, std::int64_t columns, double* to,
               std::int64_t stride) {
  cblas_domatcopy(CblasRowMajor, CblasTrans, static_cast<blasint>(rows),
                  static_cast<blasint>(columns), 1, from, static_cast<blasint>(columns), to,
                  static_cast<blasint>(stride));
}

void set_threads(int count) {
  if (count < 1) fail<OptionError>("blas::set_threads: {} threads; at least 1 is needed", count);
  backend().threads = count;
}

int threads() { return backend().threads; }

OneThread::OneThread() {
  ++one_thread;
  backend().use_openblas_threads(1);
}
OneThread::~OneThread() { --one_thread; }

Info info() {
  const Backend& chosen = backend();
  // "OpenBLAS 0.3.21 NO_AFFINITY ..." -> "OpenBLAS 0.3.21"
  std::string name = openblas_get_config();
  name = name.substr(0, name.find(' ', name.find(' ') + 1));
#ifdef HINDSIGHT_HAS_DNNL
  const dnnl_version_t* v = dnnl_version();
  name = fmt::format("oneDNN {}.{}.{} (float32), {}", v->major, v->minor, v->patch, name);
#endif
  return {name, openblas_get_corename(), chosen.note, chosen.threads};
}

}  // namespace hindsight::blas
