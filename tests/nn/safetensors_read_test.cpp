// Reading .safetensors files that are well-formed, malformed, damaged or of another format.
#include <hindsight/nn/nn.h>

#include <limits>

#include "safetensors_files.h"

namespace hindsight::test {
namespace {

namespace fs = std::filesystem;
using namespace nn;

constexpr const char* kTwo = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";

TEST_CASE("whole numbers of every width are read") {
  const Workplace work;
  const std::string path = work.path("t.safetensors");
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
  work.write("t.safetensors", bytes);
  const SafetensorsFile file(path);
  CHECK(file.indices("a")[0] == a[0]);
  CHECK(file.indices("a")[1] == 7);
  CHECK(file.indices("b")[0] == -3);
  CHECK(file.indices("b").shape() == Shape{1, 1});
  CHECK(file.indices("c")[0] == 0);
  CHECK(file.indices("c")[1] == 1);
  CHECK(contains(message_of<FileError>([&] { file.tensor("a"); }),
                 "tensor 'a' holds I64; F32 or F64 is needed"));
  bytes[data + 20] = 2;
  work.write("t.safetensors", bytes);
  CHECK(contains(message_of<FileError>([&] { SafetensorsFile(path).indices("c"); }),
                 "tensor 'c' holds 2, which is not a BOOL"));
}

TEST_CASE("a malformed file is rejected with one sentence that names it") {
  const Workplace work;
  const std::string path = work.path("bad.safetensors");
  struct Malformed {
    std::string header;
    std::size_t data_bytes;
    std::string message;
  };
  const auto one = [](const std::string& fields) { return "{\"a\":{" + fields + "}}"; };
  const Malformed rows[] = {
      {"", 0, "its header is not JSON from byte 1 on"},
      {"{", 0, "its header is not JSON from byte 2 on"},
      {"{}x", 0, "its header is not JSON from byte 3 on"},
      {"{\"\xFF\":1}", 0, "its header is not JSON"},
      {std::string("{}\0", 3), 0, "its header has byte 0x00 at position 2"},
      {std::string("{}\0 {", 5), 0, "its header has byte 0x00 at position 2"},
      {"{}" + std::string(6, '\0'), 0, "its header has byte 0x00 at position 2"},
      {"\xEF\xBB\xBF{}", 0, "its header has byte 0xef at position 0"},
      {" {}", 0, "its header has byte 0x20 at position 0"},
      {"{} \n", 0, "its header has byte 0x0a at position 3"},
      {"{}\t ", 0, "its header has byte 0x09 at position 2"},
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
  for (const Malformed& row : rows) {
    CAPTURE(row.header.substr(0, 100));
    work.write("bad.safetensors", file_of(row.header, row.data_bytes));
    const std::string message = message_of<FileError>([&] { read_all(path); });
    CHECK_MESSAGE(contains(message, row.message), message);
    CHECK(message.rfind("cannot read '" + path + "': ", 0) == 0);
    CHECK_FALSE(contains(message, "\n"));
  }
}

TEST_CASE("files of other formats are rejected") {
  const Workplace work;
  const std::string path = work.path("bad");
  const auto message = [&] { return message_of<FileError>([&] { read_all(path); }); };
  CHECK(message() == "cannot read '" + path + "': No such file or directory");
  work.write("bad", "1234567");
  CHECK(contains(message(), "7 bytes are too short for a safetensors file"));
  work.write("bad", "PK\x03\x04 a zip archive, as of PyTorch");
  CHECK(contains(message(), "is longer than the file: another format, or truncated"));
  work.write("bad", std::string(64, '\xFF'));
  CHECK(contains(message(), "a header of 18446744073709551615 bytes is longer than the file"));
  fs::remove(path);
  fs::create_directory(path);
  CHECK(contains(message(), "it is a folder"));
  CHECK(contains(message_of<FileError>([] { read_all("/dev/zero"); }), "it is not a regular file"));
  // Nor is a long header read that fits into a sparse file.
  work.write("sparse", file_of("", 0));
  const std::uint64_t length = 3'000'000'000;
  std::fstream(work.path("sparse"), std::ios::binary | std::ios::in | std::ios::out)
      .write(reinterpret_cast<const char*>(&length), sizeof length);
  fs::resize_file(work.path("sparse"), 4'000'000'000);
  CHECK(contains(message_of<FileError>([&] { read_all(work.path("sparse")); }),
                 "at most 100000000 are supported"));
}

TEST_CASE("damaged files are read or rejected, without a crash") {
  const Workplace work;
  const std::string path = work.path("damaged.safetensors");
  save_safetensors(path,
                   {{"first", Tensor::from({1, 2, 3, 4, 5, 6}, {2, 3})},
                    {"second", Tensor::full({4}, 1, DType::f64)},
                    {"empty", Tensor({3, 0}, DType::f32)},
                    {"scalar", Tensor::full({}, 7)}},
                   {{"kind", "test"}});
  const std::string whole = work.read("damaged.safetensors");
  Rng rng(5);
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(rng.below(static_cast<std::int64_t>(n)));
  };
  int read = 0, rejected = 0;
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
        default:  // changes a number in the header, which then passes the JSON parser
          for (std::size_t i = at; i < bytes.size(); ++i) {
            if (std::isdigit(static_cast<unsigned char>(bytes[i]))) {
              bytes[i] = static_cast<char>('0' + below(10));
              break;
            }
          }
      }
    }
    work.write("damaged.safetensors", bytes);
    try {
      read_all(path);
      ++read;
    } catch (const FileError& error) {
      ++rejected;
      if (std::strchr(error.what(), '\n')) FAIL("more than one line: " << error.what());
    }
  }
  CHECK(read > 100);  // those with damage in the data, spaces and names
  CHECK(rejected > 1000);
}

}  // namespace
}  // namespace hindsight::test
