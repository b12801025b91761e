#include <fcntl.h>
#include <hindsight/nn/safetensors.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

namespace hindsight::nn {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors files are little-endian");

using detail::printable;

constexpr std::uint64_t kMostHeader = 100'000'000;  // bytes; as in the reference implementation

const char* reason() { return std::strerror(errno); }
const char* file_kind(mode_t mode) { return S_ISDIR(mode) ? "a folder" : "not a regular file"; }

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path)
    // O_NONBLOCK: do not block on a named pipe.
    : path_(path), descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
  if (descriptor_ < 0) fail<FileError>("cannot read '{}': {}", path, reason());
  try {
    struct stat status {};
    if (fstat(descriptor_, &status) != 0) fail<FileError>("cannot read '{}': {}", path, reason());
    if (!S_ISREG(status.st_mode))
      fail<FileError>("cannot read '{}': it is {}", path, file_kind(status.st_mode));
    const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
    std::uint64_t header_bytes = 0;
    if (file_bytes < sizeof header_bytes) {
      fail<FileError>("cannot read '{}': {} bytes are too short for a safetensors file", path,
                      file_bytes);
    }
    read(0, &header_bytes, sizeof header_bytes);
    if (header_bytes > file_bytes - sizeof header_bytes) {
      fail<FileError>(
          "cannot read '{}': a header of {} bytes is longer than the file: another format, or "
          "truncated",
          path, header_bytes);
    }
    if (header_bytes > kMostHeader) {
      fail<FileError>("cannot read '{}': a header of {} bytes; at most {} are supported", path,
                      header_bytes, kMostHeader);
    }
    std::string header(static_cast<std::size_t>(header_bytes), '\0');
    read(sizeof header_bytes, header.data(), header.size());
    data_start_ = sizeof header_bytes + header_bytes;
    detail::parse_safetensors_header(path, header, file_bytes - data_start_, &metadata_, &tensors_);
    for (std::size_t i = 0; i < tensors_.size(); ++i) positions_[tensors_[i].name] = i;
  } catch (...) {
    close(descriptor_);
    throw;
  }
}

SafetensorsFile::~SafetensorsFile() { close(descriptor_); }

void SafetensorsFile::read(std::uint64_t offset, void* to, std::size_t bytes) const {
  auto* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t count = pread(descriptor_, at, bytes, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail<FileError>("cannot read '{}': {}", path_, reason());
    if (count == 0) fail<FileError>("cannot read '{}': it became shorter while it was read", path_);
    at += count;
    offset += static_cast<std::uint64_t>(count);
    bytes -= static_cast<std::size_t>(count);
  }
}

const StoredTensor* SafetensorsFile::find(const std::string& name) const {
  const auto position = positions_.find(name);
  return position == positions_.end() ? nullptr : &tensors_[position->second];
}

const StoredTensor& SafetensorsFile::at(const std::string& name) const {
  const StoredTensor* stored = find(name);
  if (!stored) fail<FileError>("cannot read '{}': it has no tensor {}", path_, printable(name));
  return *stored;
}

Tensor SafetensorsFile::tensor(const std::string& name) const {
  const StoredTensor& stored = at(name);
  if (stored.type != StoredType::f32 && stored.type != StoredType::f64) {
    fail<FileError>("cannot read '{}': tensor {} holds {}; F32 or F64 is needed", path_,
                    printable(name), nn::name(stored.type));
  }
  Tensor result(stored.shape, stored.type == StoredType::f32 ? DType::f32 : DType::f64);
  read(data_start_ + stored.begin, result.bytes(),
       static_cast<std::size_t>(stored.end - stored.begin));
  return result;
}

namespace {

template <class Stored>
void widen(const std::vector<std::byte>& bytes, std::int64_t* to) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(Stored); ++i) {
    Stored value;
    std::memcpy(&value, &bytes[i * sizeof(Stored)], sizeof value);
    to[i] = value;
  }
}

}  // namespace

Indices SafetensorsFile::indices(const std::string& name) const {
  const StoredTensor& stored = at(name);
  std::vector<std::byte> bytes(static_cast<std::size_t>(stored.end - stored.begin));
  read(data_start_ + stored.begin, bytes.data(), bytes.size());
  Indices result(stored.shape);
  switch (stored.type) {
    case StoredType::i64:
      widen<std::int64_t>(bytes, result.data());
      break;
    case StoredType::i32:
      widen<std::int32_t>(bytes, result.data());
      break;
    case StoredType::boolean:
      widen<std::uint8_t>(bytes, result.data());
      break;
    default:
      fail<FileError>("cannot read '{}': tensor {} holds {}; I64, I32 or BOOL is needed", path_,
                      printable(name), nn::name(stored.type));
  }
  for (Size i = 0; i < result.elements() && stored.type == StoredType::boolean; ++i) {
    if (result[i] > 1)
      fail<FileError>("cannot read '{}': tensor {} holds {}, which is not a BOOL", path_,
                      printable(name), result[i]);
  }
  return result;
}

// Writing -----------------------------------------------------------------------------------------

namespace {

/// A new file that replaces `path` on commit() and leaves nothing behind otherwise.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path) : path_(path), target_(path) {
    struct stat status {};
    const bool exists = stat(path.c_str(), &status) == 0;
    if (exists && !S_ISREG(status.st_mode))
      fail<FileError>("cannot write '{}': it is {}", path, file_kind(status.st_mode));
    if (exists) target_ = resolve_links(path);
    create();
    if (exists) fchmod(descriptor_, status.st_mode & 07777);  // not every file system has modes
  }
  ~AtomicFile() {
    if (descriptor_ >= 0) close(descriptor_);
    if (!temporary_.empty()) unlink(temporary_.c_str());
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t bytes) {
    const auto* at = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t count = ::write(descriptor_, at, bytes);
      if (count < 0 && errno == EINTR) continue;
      check(count < 0 ? -1 : 0);
      at += count;
      bytes -= static_cast<std::size_t>(count);
    }
  }

  void commit() {
    check(fsync(descriptor_));
    check(close(std::exchange(descriptor_, -1)));
    check(rename(temporary_.c_str(), target_.c_str()));
    temporary_.clear();
    // So that the new name survives a power failure, where the file system supports it.
    const int folder = open(folder_of_target().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return;
    fsync(folder);
    close(folder);
  }

  /// Renames to the target as commit() does, unless that exists; the destructor removes the file.
  void rehearse() {
    std::error_code absent;
    if (exists(symlink_status(target_, absent))) return;
    check(rename(temporary_.c_str(), target_.c_str()));
    temporary_ = target_.string();
  }

 private:
  static std::filesystem::path resolve_links(const std::string& path) {
    std::error_code failed;
    const std::filesystem::path target = std::filesystem::canonical(path, failed);
    return failed ? std::filesystem::path(path) : target;
  }

  std::string folder_of_target() const {
    const std::filesystem::path folder = target_.parent_path();
    return folder.empty() ? "." : folder.string();
  }

  void create() {
    static std::atomic<unsigned> count{0};
    do {  // a killed process may have left a file of that name
      const std::string name =
          fmt::format("{}/.hindsight-{}-{}.tmp", folder_of_target(), getpid(), count++);
      descriptor_ = open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor_ >= 0) temporary_ = name;
    } while (descriptor_ < 0 && errno == EEXIST);
    check(descriptor_ < 0 ? -1 : 0);
  }

  void check(int status) const {
    if (status != 0) fail<FileError>("cannot write '{}': {}", path_, reason());
  }

  std::string path_;
  std::filesystem::path target_;
  std::string temporary_;
  int descriptor_ = -1;
};

/// The header, padded with spaces so that the data starts at a multiple of 8 bytes.
std::string header_of(const std::string& path, const NamedTensors& tensors,
                      const Metadata& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::set<std::string> names{"__metadata__"};
  Size at = 0;
  for (const auto& [name, tensor] : tensors) {
    if (!names.insert(name).second)
      fail<FileError>("cannot write '{}': the name {} is taken", path, printable(name));
    if (!tensor) fail<FileError>("cannot write '{}': tensor {} is empty", path, printable(name));
    std::vector<Size> sizes;
    for (int i = 0; i < tensor.rank(); ++i) sizes.push_back(tensor.size(i));
    const Size end = at + tensor.elements() * bytes_of(tensor.dtype());
    header[name] = {
        {"dtype", nn::name(tensor.dtype() == DType::f32 ? StoredType::f32 : StoredType::f64)},
        {"shape", sizes},
        {"data_offsets", {at, end}}};
    at = end;
  }
  try {
    std::string text = header.dump();
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
  } catch (const nlohmann::json::exception&) {
    fail<FileError>("cannot write '{}': a name or its metadata is not UTF-8 text", path);
  }
}

}  // namespace

void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const Metadata& metadata) {
  NamedTensors sorted = tensors;  // wider elements first, so that each tensor is aligned
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return bytes_of(a.second.dtype()) > bytes_of(b.second.dtype());
  });
  const std::string header = header_of(path, sorted, metadata);
  const std::uint64_t length = header.size();
  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(header.data(), header.size());
  for (const auto& [name, tensor] : sorted) {
    const Tensor dense = tensor.dense();
    file.write(dense.bytes(), static_cast<std::size_t>(dense.elements() * bytes_of(dense.dtype())));
  }
  file.commit();
}

void check_saving(const std::string& path) { AtomicFile(path).rehearse(); }

}  // namespace hindsight::nn
