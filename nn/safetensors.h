#pragma once
#include <hindsight/autograd/tensor/indices.h>
#include <hindsight/autograd/tensor/tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

/// Files of named tensors in the safetensors format (github.com/huggingface/safetensors): 8 bytes
/// with the length of the header, the header in JSON, the elements of all tensors, little-endian.
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

/// What a file says about one of its tensors.
struct StoredTensor {
  std::string name;
  StoredType type = StoredType::f32;
  Shape shape;
  std::uint64_t begin = 0, end = 0;  ///< bytes after the header
};

/// A file opened for reading. Everything in the header is checked when it is opened, so that
/// nothing a file says can make the reader allocate more than the file is long.
class SafetensorsFile {
 public:
  /// FileError for a file that is missing, truncated, of another format or inconsistent.
  explicit SafetensorsFile(const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const { return path_; }
  const Metadata& metadata() const { return metadata_; }
  const std::vector<StoredTensor>& tensors() const {
    return tensors_;
  }                                                         ///< as they lie in the file
  const StoredTensor* find(const std::string& name) const;  ///< null where there is none

  /// The tensor of that name, stored as F32 or F64. FileError when there is none or of another
  /// type.
  Tensor tensor(const std::string& name) const;
  /// Whole numbers, stored as I64, I32 or BOOL (0 and 1), likewise.
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

/// Writes the tensors to a file of their own beside `path` and then renames it, so that `path`
/// holds all of the old file or all of the new one. FileError with the system's reason when that
/// fails.
void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const Metadata& metadata = {});

/// Throws the FileError that saving to this path would end in, as far as it can be known before
/// there is anything to save: goes the same way with an empty file, of which nothing is left.
void check_saving(const std::string& path);

namespace detail {

/// A name from a file as messages show it: printable, cut and without control characters.
std::string printable(const std::string& name);

/// Reads and checks the header of the file `path`, whose data has `data_bytes` bytes.
void parse_safetensors_header(const std::string& path, const std::string& text,
                              std::uint64_t data_bytes, Metadata* metadata,
                              std::vector<StoredTensor>* tensors);

}  // namespace detail
}  // namespace hindsight::nn
