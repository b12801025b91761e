#pragma once
#include <string>

namespace hindsight::tasks {

/// Where this program is, from the current folder: what to type to run it again.
std::string program_path();

/// "0.1.0"
std::string version();

/// "oneDNN 2.6.3 (float32), OpenBLAS 0.3.21 with SkylakeX kernels, 2 threads"
std::string backend();

/// Lines that say what this program was built as and what it runs on.
std::string info();

}  // namespace hindsight::tasks
