#pragma once
#include <string>

namespace hindsight::tasks {

/// The path of this program, relative to the current folder if shorter: what to type to run it.
std::string program_path();

/// "0.1.0"
std::string version();

/// "oneDNN 2.6.3 (float32), OpenBLAS 0.3.21 with SkylakeX kernels, 2 threads"
std::string backend(int threads);

/// Lines that show how this program was built and what it runs on.
std::string info();

}  // namespace hindsight::tasks
