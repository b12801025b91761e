#pragma once
#include <hindsight/nn/module.h>
#include <hindsight/nn/safetensors.h>

#include <string>

namespace hindsight::nn {

/// Writes every parameter of a module under its full name, with the caller's metadata, as a
/// .safetensors file; an existing file is replaced only when the new one is complete. FileError
/// when it cannot be written.
void save(const std::string& path, const Module& module, const Metadata& metadata = {});

/// Assigns the values in a file to the module's parameters. The names, shapes and gate orders of
/// recurrent layers are those of PyTorch's state dicts; for other layouts see keras.h and onnx.h.
/// FileError unless the file holds exactly the module's parameters: the same names, shapes and
/// element types; it says which are left over or missing. Then no parameter has changed.
void load(const std::string& path, const Module& module);

/// The metadata that was saved in a file. FileError when it cannot be read.
Metadata read_metadata(const std::string& path);

}  // namespace hindsight::nn
