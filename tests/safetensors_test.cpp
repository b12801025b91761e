#include <doctest/doctest.h>
#include <hindsight/nn/nn.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

using namespace hindsight;
using namespace hindsight::nn;

namespace {

namespace fs = std::filesystem;

/// A folder of its own that goes away with everything in it.
struct Folder {
  Folder() {
    std::string name = (fs::temp_directory_path() / "hindsight-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  std::string file(const std::string& name) const { return (path / name).string(); }
  long entries() const { return std::distance(fs::directory_iterator(path), {}); }

  fs::path path;
};

std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const std::string& path, const std::string& bytes) {
  fs::remove(path);  // a file truncated and written again is flushed to the disk by some systems
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// A file of this header (its length before it) and so many bytes of data.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(data_bytes, '\0');
}

/// Reads everything a file holds.
void read_all(const std::string& path) {
  const SafetensorsFile file(path);
  for (const StoredTensor& stored : file.tensors()) {
    if (stored.type == StoredType::f32 || stored.type == StoredType::f64) {
      CHECK(file.tensor(stored.name).shape() == stored.shape);
    } else {
      CHECK(file.indices(stored.name).shape() == stored.shape);
    }
  }
}

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const FileError& error) {
    return error.what();
  }
  return "no FileError";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(a.bytes(), b.bytes(),
                     static_cast<std::size_t>(a.elements() * bytes_of(a.dtype()))) == 0;
}

struct Readout : Module {
  explicit Readout(Rng& rng)
      : hidden(child("hidden", Linear({.inputs = 3, .outputs = 2}, rng))),
        scale(parameter("scale", init::constant({2}, 1))) {}
  Linear hidden;
  Parameter scale;
};

constexpr const char* kTwo = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";

}  // namespace

TEST_CASE("tensors come back with every bit") {
  const Folder folder;
  const std::string path = folder.file("t.safetensors");
  const double strange[] = {0.0,           -0.0,    1e-310, std::numeric_limits<double>::infinity(),
                            std::nan("7"), -1.0 / 3};
  Tensor doubles({2, 3}, DType::f64);
  std::memcpy(doubles.bytes(), strange, sizeof strange);
  const Tensor floats = Tensor::from({1, 2, 3, 4, 5, 6}, {3, 2});
  const Tensor transposed = floats.view(floats.layout().permute({1, 0}));
  const NamedTensors tensors = {
      {"floats", floats},
      {"transposed", transposed},
      {"doubles", doubles},
      {"empty", Tensor({2, 0, 3}, DType::f32)},
      {"scalar", Tensor::full({}, 0.1, DType::f64)},
      {"name with \"quotes\", \n and \xC3\xA9", Tensor::full({1, 1, 1, 1, 1, 1}, 3)}};
  const Metadata metadata = {{"format", "pt"}, {"note", "two\nlines \xE2\x82\xAC"}, {"", ""}};
  save_safetensors(path, tensors, metadata);
  const SafetensorsFile file(path);
  CHECK(file.metadata() == metadata);
  CHECK(read_metadata(path) == metadata);
  CHECK(file.tensors().size() == tensors.size());
  for (const auto& entry : tensors) {
    const std::string& name = entry.first;
    const Tensor& tensor = entry.second;
    CAPTURE(name);
    CHECK(same_bits(file.tensor(name), tensor.contiguous_copy()));
    REQUIRE(file.find(name) != nullptr);
    CHECK(file.find(name)->begin % static_cast<std::uint64_t>(bytes_of(tensor.dtype())) ==
          0);  // aligned
  }
  CHECK(file.find("other") == nullptr);
  CHECK(contains(error_of([&] { file.tensor("other"); }), "it has no tensor 'other'"));
  CHECK(contains(error_of([&] { file.indices("scalar"); }),
                 "tensor 'scalar' holds F64; I64, I32 or BOOL is needed"));
  CHECK(folder.entries() == 1);
}

TEST_CASE("a written file has the layout of the format") {
  const Folder folder;
  const std::string path = folder.file("t.safetensors");
  save_safetensors(path, {{"w", Tensor::from({1, -2}, {2})}}, {{"kind", "test"}});
  const std::string header =
      R"({"__metadata__":{"kind":"test"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const std::string data("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8);
  CHECK(read_bytes(path) == file_of(padded, 0) + data);
  save_safetensors(path, {});
  CHECK(read_bytes(path) == file_of("{}      ", 0));
  read_all(path);
}

TEST_CASE("whole numbers of every width are read") {
  const Folder folder;
  const std::string path = folder.file("t.safetensors");
  const std::string header = R"({"a":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},)"
                             R"("b":{"dtype":"I32","shape":[1,1],"data_offsets":[16,20]},)"
                             R"("c":{"dtype":"BOOL","shape":[2],"data_offsets":[20,22]}})";
  std::string bytes = file_of(header, 22);
  const std::size_t data = bytes.size() - 22;
  const std::int64_t a[] = {std::numeric_limits<std::int64_t>::min(), 7};
  const std::int32_t b = -3;
  std::memcpy(&bytes[data], a, sizeof a);
  std::memcpy(&bytes[data + 16], &b, sizeof b);
  bytes[data + 21] = 1;
  write_bytes(path, bytes);
  const SafetensorsFile file(path);
  CHECK(file.indices("a")[0] == a[0]);
  CHECK(file.indices("a")[1] == 7);
  CHECK(file.indices("b")[0] == -3);
  CHECK(file.indices("b").shape() == Shape{1, 1});
  CHECK(file.indices("c")[0] == 0);
  CHECK(file.indices("c")[1] == 1);
  CHECK(
      contains(error_of([&] { file.tensor("a"); }), "tensor 'a' holds I64; F32 or F64 is needed"));
  bytes[data + 20] = 2;
  write_bytes(path, bytes);
  CHECK(contains(error_of([&] { SafetensorsFile(path).indices("c"); }),
                 "tensor 'c' holds 2, which is no BOOL"));
}

TEST_CASE("a malformed file ends in one sentence that names it") {
  const Folder folder;
  const std::string path = folder.file("bad.safetensors");
  struct Row {
    std::string header;
    std::size_t data_bytes;
    std::string message;
  };
  const auto one = [](const std::string& fields) { return "{\"a\":{" + fields + "}}"; };
  const Row rows[] = {
      {"", 0, "its header is not JSON from byte 1 on"},
      {"{", 0, "its header is not JSON from byte 2 on"},
      {"{}x", 0, "its header is not JSON from byte 3 on"},
      {"{\"\xFF\":1}", 0, "its header is not JSON"},
      {std::string(4000, '['), 0, "its header is a list, not an object"},
      {"3", 0, "its header is a number, not an object"},
      {R"({"a":3})", 0, "its header's entry 'a' is a number, not an object"},
      {R"({"a":[]})", 0, "its header's entry 'a' is a list, not an object"},
      {R"({"__metadata__":null})", 0, "entry '__metadata__' is null, not an object"},
      {R"({"__metadata__":{"k":1}})", 0, "its metadata 'k' is a number, not text"},
      {R"({"__metadata__":{"k":{}}})", 0, "its metadata 'k' is an object, not text"},
      {R"({"__metadata__":{"k":"","k":""}})", 0, "its header has two entries 'k'"},
      {"{" + std::string(kTwo) + "," + kTwo + "}", 8, "its header has two entries 'a'"},
      {one(R"("dtype":"F32","dtype":"F32")"), 0, "tensor 'a' has two fields 'dtype'"},
      {one(R"("dtype":"F32","color":3)"), 0, "tensor 'a' has an unknown field 'color'"},
      {one(R"("dtype":"F32","shape":[2])"), 8, "tensor 'a' lacks the field data_offsets"},
      {one(R"("shape":[2],"data_offsets":[0,8])"), 8, "tensor 'a' lacks the field dtype"},
      {one(R"("dtype":"BF16","shape":[2],"data_offsets":[0,4])"), 4,
       "tensor 'a' has the element type 'BF16'; F32, F64, I32, I64 and BOOL can be read"},
      {one(R"("dtype":32)"), 0, "tensor 'a' has a dtype that is a number"},
      {one(R"("shape":"2")"), 0, "tensor 'a' has a shape that is text"},
      {one(R"("shape":[[2]])"), 0, "tensor 'a' has a size that is a list"},
      {one(R"("shape":[-2])"), 0, "tensor 'a' has a size that is a negative number"},
      {one(R"("shape":[1.5])"), 0, "tensor 'a' has a size that is no whole number of 64 bits"},
      {one(R"("shape":[99999999999999999999])"), 0,
       "has a size that is no whole number of 64 bits"},
      {one(R"("shape":[2147483648])"), 0, "tensor 'a' has an axis of 2147483648 elements"},
      {one(R"("shape":[1,1,1,1,1,1,1])"), 0, "tensor 'a' has more than 6 axes"},
      {one(R"("dtype":"F32","shape":[65536,65536],"data_offsets":[0,0])"), 0,
       "has more than 2^31 - 1 elements"},
      {one(R"("dtype":"F32","shape":[0,65536,65536],"data_offsets":[0,0])"), 0,
       "has more than 2^31 - 1 elements"},
      {one(R"("data_offsets":[0,8,16])"), 0, "tensor 'a' has more than two data_offsets"},
      {one(R"("data_offsets":[0])"), 0, "tensor 'a' has fewer than two data_offsets"},
      {one(R"("data_offsets":[-8,0])"), 0,
       "tensor 'a' has a data offset that is a negative number"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), 8,
       "tensor 'a' ends at byte 0 before it begins at 8"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[0,12])"), 12,
       "tensor 'a' of type F32 and shape (2,) needs 8 bytes, but its data_offsets span 12"},
      {one(R"("dtype":"F32","shape":[],"data_offsets":[0,8])"), 8,
       "needs 4 bytes, but its data_offsets span 8"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[18446744073709551608,18446744073709551615])"),
       8, "span 7"},
      {one(R"("dtype":"F32","shape":[1000000000],"data_offsets":[0,4000000000])"), 8,
       "tensor 'a' reaches to byte 4000000000 of the data, but the file has 8: truncated"},
      {"{" + std::string(kTwo) + "}", 7,
       "tensor 'a' reaches to byte 8 of the data, but the file has 7: truncated"},
      {"{" + std::string(kTwo) + "}", 9, "the last 1 bytes belong to no tensor"},
      {one(R"("dtype":"F32","shape":[2],"data_offsets":[4,12])"), 12,
       "the 4 bytes before tensor 'a' belong to no tensor"},
      {"{" + std::string(kTwo) + R"(,"b":{"dtype":"F64","shape":[1],"data_offsets":[4,12]}})", 12,
       "tensors 'a' and 'b' overlap"},
      {R"({"a\nb":{"shape":null}})", 0, "tensor 'a?b' has a shape that is null"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.header.substr(0, 100));
    write_bytes(path, file_of(row.header, row.data_bytes));
    const std::string message = error_of([&] { read_all(path); });
    CHECK_MESSAGE(contains(message, row.message), message);
    CHECK(message.rfind("cannot read '" + path + "': ", 0) == 0);
    CHECK_FALSE(contains(message, "\n"));
  }
}

TEST_CASE("what is no safetensors file at all") {
  const Folder folder;
  const std::string path = folder.file("bad");
  const auto message = [&] { return error_of([&] { read_all(path); }); };
  CHECK(message() == "cannot read '" + path + "': No such file or directory");
  write_bytes(path, "1234567");
  CHECK(contains(message(), "7 bytes are too short for a safetensors file"));
  write_bytes(path, "PK\x03\x04 a zip archive, as of PyTorch");
  CHECK(contains(message(), "is longer than the file: another format, or truncated"));
  write_bytes(path, std::string(64, '\xFF'));
  CHECK(contains(message(), "a header of 18446744073709551615 bytes is longer than the file"));
  fs::remove(path);
  fs::create_directory(path);
  CHECK(contains(message(), "it is a folder"));
  CHECK(contains(error_of([] { read_all("/dev/zero"); }), "it is not a regular file"));
  // A long header that a sparse file has room for is not read either.
  write_bytes(folder.file("sparse"), file_of("", 0));
  const std::uint64_t length = 3'000'000'000;
  std::fstream(folder.file("sparse"), std::ios::binary | std::ios::in | std::ios::out)
      .write(reinterpret_cast<const char*>(&length), sizeof length);
  fs::resize_file(folder.file("sparse"), 4'000'000'000);
  CHECK(contains(error_of([&] { read_all(folder.file("sparse")); }),
                 "at most 100000000 are supported"));
}

TEST_CASE("damaged files are read or refused, never worse") {
  const Folder folder;
  const std::string path = folder.file("damaged.safetensors");
  save_safetensors(path,
                   {{"first", Tensor::from({1, 2, 3, 4, 5, 6}, {2, 3})},
                    {"second", Tensor::full({4}, 1, DType::f64)},
                    {"empty", Tensor({3, 0}, DType::f32)},
                    {"scalar", Tensor::full({}, 7)}},
                   {{"kind", "test"}});
  const std::string whole = read_bytes(path);
  Rng rng(5);
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(n)));
  };
  int read = 0, refused = 0;
  for (int round = 0; round < 8000; ++round) {
    std::string bytes = whole;
    const std::size_t edits = 1 + below(3);
    for (std::size_t edit = 0; edit < edits && !bytes.empty(); ++edit) {
      const std::size_t at = below(bytes.size());
      switch (below(6)) {
        case 0:
          bytes[at] = static_cast<char>(below(256));
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
          break;
        case 2:
          bytes.resize(at);
          break;
        case 3:
          bytes.insert(at, 1 + below(9), static_cast<char>(below(256)));
          break;
        case 4:
          bytes[at] = "0123456789-.,[]{}\":"[below(19)];
          break;
        default:  // a number of the header changed: past the JSON, into the checks
          for (std::size_t i = at; i < bytes.size(); ++i) {
            if (std::isdigit(static_cast<unsigned char>(bytes[i]))) {
              bytes[i] = static_cast<char>('0' + below(10));
              break;
            }
          }
      }
    }
    write_bytes(path, bytes);
    try {
      read_all(path);
      ++read;
    } catch (const FileError& error) {
      ++refused;
      if (std::strchr(error.what(), '\n')) FAIL("more than one line: " << error.what());
    }
  }
  CHECK(read > 100);  // bits of the data, spaces, names
  CHECK(refused > 1000);
}

TEST_CASE("a module's parameters are saved and loaded by name") {
  const Folder folder;
  const std::string path = folder.file("model.safetensors");
  Rng rng(1), other_rng(2);
  const Readout model(rng), other(other_rng);
  save(path, model, {{"hidden", "2"}});
  CHECK(read_metadata(path) == Metadata{{"hidden", "2"}});
  load(path, other);
  for (std::size_t i = 0; i < model.parameters().size(); ++i) {
    CHECK(same_bits(model.parameters()[i].value(), other.parameters()[i].value()));
  }
  model.to(DType::f64);
  save(path, model);
  CHECK(contains(error_of([&] { load(path, other); }),
                 "parameter 'hidden.weight' is float64 in the file and float32 in the model"));
  other.to(DType::f64);
  load(path, other);
  CHECK(same_bits(model.scale.value(), other.scale.value()));
}

TEST_CASE("a file that does not fit leaves the module as it is") {
  const Folder folder;
  const std::string path = folder.file("model.safetensors");
  Rng rng(1);
  const Readout model(rng);
  NamedTensors before, fitting;
  for (const auto& [name, parameter] : model.named_parameters()) {
    before.emplace_back(name, parameter.value().contiguous_copy());
    fitting.emplace_back(name, Tensor::full(parameter.shape(), 9));
  }
  REQUIRE(fitting.back().first == "scale");
  const auto message_of = [&](const NamedTensors& tensors) {
    save_safetensors(path, tensors);
    const std::string message = error_of([&] { load(path, model); });
    for (std::size_t i = 0; i < before.size(); ++i)
      CHECK(same_bits(model.parameters()[i].value(), before[i].second));
    return message;
  };
  NamedTensors tensors = fitting;
  tensors.emplace_back("extra", Tensor::full({1}, 0));
  CHECK(message_of(tensors) ==
        "cannot load '" + path + "': it holds a parameter 'extra' that the model lacks");
  tensors = fitting;
  tensors.pop_back();
  CHECK(message_of(tensors) ==
        "cannot load '" + path + "': it lacks the model's parameter 'scale'");
  tensors = fitting;
  tensors.back().second = Tensor::full({3}, 0);
  CHECK(contains(message_of(tensors),
                 "parameter 'scale' has shape (3,) in the file and (2,) in the model"));
  tensors.back().second = Tensor::full({2}, 0, DType::f64);
  CHECK(contains(message_of(tensors),
                 "parameter 'scale' is float64 in the file and float32 in the model"));
  write_bytes(path, file_of(R"({"scale":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})", 8));
  CHECK(contains(error_of([&] { load(path, model); }),
                 "it lacks the model's parameter 'hidden.weight'"));
  save_safetensors(path, fitting);
  load(path, model);
  CHECK(same_bits(model.scale.value(), fitting.back().second));
}

TEST_CASE("what cannot be written is refused") {
  const Folder folder;
  const Tensor one = Tensor::full({1}, 1);
  const auto message_of = [&](const std::string& path, const NamedTensors& tensors,
                              const Metadata& metadata = {}) {
    return error_of([&] { save_safetensors(path, tensors, metadata); });
  };
  const std::string path = folder.file("t");
  CHECK(contains(message_of(path, {{"a", one}, {"a", one}}), "the name 'a' is taken"));
  CHECK(contains(message_of(path, {{"__metadata__", one}}), "the name '__metadata__' is taken"));
  CHECK(contains(message_of(path, {{"\xFF", one}}), "a name or its metadata is not UTF-8 text"));
  CHECK(
      contains(message_of(path, {}, {{"k", "\xFF"}}), "a name or its metadata is not UTF-8 text"));
  CHECK(contains(message_of(path, {{"a", Tensor()}}), "tensor 'a' is empty"));
  CHECK(message_of(folder.file("none/t"), {{"a", one}}) ==
        "cannot write '" + folder.file("none/t") + "': No such file or directory");
  CHECK(contains(message_of(folder.path.string(), {{"a", one}}), "it is a folder"));
  CHECK(contains(message_of("/dev/full", {{"a", one}}), "it is not a regular file"));
  CHECK(folder.entries() == 0);
  write_bytes(path, "");
  CHECK(contains(message_of(path + "/t", {{"a", one}}), "Not a directory"));
  if (geteuid() == 0) {
    MESSAGE("root may write everywhere: the folder without permission is not tried");
  } else {
    fs::permissions(folder.path, fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(contains(message_of(path, {{"a", one}}), "Permission denied"));
    fs::permissions(folder.path, fs::perms::owner_all);
  }
  CHECK(folder.entries() == 1);
}

TEST_CASE("a file that does not fit on the disk leaves the old one") {
  const Folder folder;
  const std::string path = folder.file("model.safetensors");
  save_safetensors(path, {{"small", Tensor::full({4}, 1)}});
  const std::string before = read_bytes(path);
  // A limit on the size of files stands in for a full disk.
  rlimit old_limit{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old_limit) == 0);
  rlimit limit = old_limit;
  limit.rlim_cur = 8192;
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  const std::string message = error_of([&] {
    save_safetensors(path, {{"large", Tensor::full({10000}, 1)}});
  });
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  CHECK(message == "cannot write '" + path + "': File too large");
  CHECK(read_bytes(path) == before);
  CHECK(folder.entries() == 1);
}

TEST_CASE("saving keeps links and permissions") {
  const Folder folder;
  const std::string path = folder.file("model"), link = folder.file("link");
  save_safetensors(path, {{"a", Tensor::full({1}, 1)}});
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink(path, link);
  save_safetensors(link, {{"b", Tensor::full({1}, 1)}});
  CHECK(fs::is_symlink(link));
  CHECK(SafetensorsFile(path).find("b") != nullptr);
  CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(folder.entries() == 2);
}
