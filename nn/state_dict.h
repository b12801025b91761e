#pragma once
#include <hindsight/nn/module.h>
#include <hindsight/nn/safetensors.h>

#include <string>

namespace hindsight::nn {

/// Writes every parameter of a module under its full name, with notes of the caller's, as a
/// .safetensors file; what stood at `path` stays until the new file is complete. FileError when it
/// cannot be written.
void save(const std::string& path, const Module& module, const Metadata& metadata = {});

/// Gives the module's parameters the values in a file that holds just them: same names, shapes and
/// element types. FileError otherwise, and then nothing has changed.
void load(const std::string& path, const Module& module);

/// The notes that were saved with a file.
Metadata read_metadata(const std::string& path);

}  // namespace hindsight::nn
