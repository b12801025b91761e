#include "info.h"

#include <hindsight/autograd/tensor/blas.h>
#include <hindsight/autograd/tensor/simd.h>

#include <filesystem>

namespace hindsight::tasks {
namespace {

std::string compiler() {
#if defined(__clang__)
  return fmt::format("clang {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#elif defined(__GNUC__)
  return fmt::format("GCC {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#else
  return "unknown compiler";
#endif
}

}  // namespace

std::string program_path() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const fs::path near = fs::proximate(program, error);
  if (program.empty() || error) return "hindsight";
  return near.string().size() < program.string().size() ? near.string() : program.string();
}

std::string version() { return HINDSIGHT_VERSION; }

std::string backend(int threads) {
  const blas::Info blas = blas::info();
  return fmt::format("{} with {} kernels, {} thread{}", blas.backend, blas.kernels, threads,
                     threads == 1 ? "" : "s");
}

std::string info() {
  const blas::Info blas = blas::info();
  std::string text;
  const auto line = [&text](const char* name, const std::string& value) {
    text += fmt::format("{:<15} {}\n", name, value);
  };
  line("hindsight", version());
  line("backend", blas.backend);
  line("BLAS kernels",
       blas.note.empty() ? blas.kernels : fmt::format("{} ({})", blas.kernels, blas.note));
  line("SIMD width", fmt::format("{} float32 or {} float64 ({})", simd::kWidth<float>,
                                 simd::kWidth<double>, xsimd::default_arch::name()));
  line("threads", std::to_string(blas.threads));
  line("build type", HINDSIGHT_BUILD_TYPE);
  line("native", HINDSIGHT_NATIVE ? "yes (-march=native)" : "no");
  line("compiler", compiler());
  return text;
}

}  // namespace hindsight::tasks
