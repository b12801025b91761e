#pragma once
#include <hindsight/nn/safetensors.h>

#include "program.h"
#include "support.h"

/// Files of the safetensors format, made by hand.
namespace hindsight::test {

/// The bytes of a file with this header, preceded by its length, and so many bytes of data.
inline std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(data_bytes, '\0');
}

/// Reads everything a file holds.
inline void read_all(const std::string& path) {
  const nn::SafetensorsFile file(path);
  for (const nn::StoredTensor& stored : file.tensors()) {
    if (stored.type == nn::StoredType::f32 || stored.type == nn::StoredType::f64) {
      CHECK(file.tensor(stored.name).shape() == stored.shape);
    } else {
      CHECK(file.indices(stored.name).shape() == stored.shape);
    }
  }
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace hindsight::test
