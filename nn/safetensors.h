#pragma once
#include <hindsight/autograd/tensor/indices.h>
#include <hindsight/autograd/tensor/tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// Files of named tensors in the safetensors format (github.com/huggingface/safetensors): the
/// length of the header in 8 bytes, the header in JSON, and the elements of all tensors,
/// little-endian.
namespace hindsight::nn {

using Metadata = std::map<std::string, std::string>;
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Element types that can be read; f32 and f64 can be written.
enum class StoredType : std::uint8_t { f32, f64, i32, i64, boolean };
const char* name(StoredType type);  ///< as in files: "F32"
constexpr Size bytes_of(StoredType type) {
  if (type == StoredType::boolean) return 1;
  return type == StoredType::f32 || type == StoredType::i32 ? 4 : 8;
}

/// The header's entry for one tensor.
struct StoredTensor {
  std::string name;
  StoredType type = StoredType::f32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  ///< in bytes from the end of the header
};

/// A file opened for reading. The whole header is checked when it is opened, so that no file can
/// make the reader allocate more than its own length.
class SafetensorsFile {
 public:
  /// FileError for a file that is missing, truncated, of another format or inconsistent.
  explicit SafetensorsFile(const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const { return path_; }
  const Metadata& metadata() const { return metadata_; }
  /// In the order of their data in the file.
  const std::vector<StoredTensor>& tensors() const { return tensors_; }
  const StoredTensor* find(const std::string& name) const;  ///< null if there is none

  /// The tensor of that name, stored as F32 or F64. FileError when there is none or its type is
  /// another.
  Tensor tensor(const std::string& name) const;
  /// Likewise for whole numbers, stored as I64, I32 or BOOL (0 and 1).
  Indices indices(const std::string& name) const;

 private:
  const StoredTensor& at(const std::string& name) const;
  void read(std::uint64_t offset, void* to, std::size_t bytes) const;

  std::string path_;
  int descriptor_;
  std::uint64_t data_start_ = 0;
  Metadata metadata_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::size_t> positions_;  // in tensors_
};

/// Writes the tensors to a temporary file beside `path` and then renames it, so that `path` always
/// holds either the complete old file or the complete new one. FileError with the system's reason
/// when that fails.
void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const Metadata& metadata = {});

/// Throws the FileError that saving to this path would throw, as far as that can be known in
/// advance: does the same with an empty file, which it removes.
void check_saving(const std::string& path);

namespace detail {

/// A name from a file for messages: quoted, cut, and with '?' for control characters.
std::string printable(const std::string& name);

/// Parses and checks the header `text` of the file `path`, whose data has `data_bytes` bytes.
void parse_safetensors_header(const std::string& path, const std::string& text,
                              std::uint64_t data_bytes, Metadata* metadata,
                              std::vector<StoredTensor>* tensors);

}  // namespace detail
}  // namespace hindsight::nn
