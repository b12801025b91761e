// Writing .safetensors files and reading them back; the state of modules; what cannot be written.
#include <hindsight/nn/nn.h>
#include <unistd.h>

#include <limits>

#include "safetensors_files.h"

namespace hindsight::test {
namespace {

namespace fs = std::filesystem;
using namespace nn;

struct Readout : Module {
  explicit Readout(Rng& rng)
      : hidden(child("hidden", Linear({.inputs = 3, .outputs = 2}, rng))),
        scale(parameter("scale", init::constant({2}, 1))) {}
  Linear hidden;
  Parameter scale;
};

TEST_CASE("tensors are read back bit for bit") {
  const Workplace work;
  const std::string path = work.path("t.safetensors");
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
  CHECK(contains(message_of<FileError>([&] { file.tensor("other"); }), "it has no tensor 'other'"));
  CHECK(contains(message_of<FileError>([&] { file.indices("scalar"); }),
                 "tensor 'scalar' holds F64; I64, I32 or BOOL is needed"));
  CHECK(work.entries() == 1);
}

TEST_CASE("a written file has the layout of the format") {
  const Workplace work;
  const std::string path = work.path("t.safetensors");
  save_safetensors(path, {{"w", Tensor::from({1, -2}, {2})}}, {{"kind", "test"}});
  const std::string header =
      R"({"__metadata__":{"kind":"test"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const std::string data("\x00\x00\x80\x3f\x00\x00\x00\xc0", 8);
  CHECK(work.read("t.safetensors") == file_of(padded, 0) + data);
  save_safetensors(path, {});
  CHECK(work.read("t.safetensors") == file_of("{}      ", 0));
  read_all(path);
}

TEST_CASE("a module's parameters are saved and loaded by name") {
  const Workplace work;
  const std::string path = work.path("model.safetensors");
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
  CHECK(contains(message_of<FileError>([&] { load(path, other); }),
                 "parameter 'hidden.weight' is float64 in the file and float32 in the model"));
  other.to(DType::f64);
  load(path, other);
  CHECK(same_bits(model.scale.value(), other.scale.value()));
}

TEST_CASE("a file that does not fit leaves the module as it is") {
  const Workplace work;
  const std::string path = work.path("model.safetensors");
  Rng rng(1);
  const Readout model(rng);
  NamedTensors before, fitting;
  for (const auto& [name, parameter] : model.named_parameters()) {
    before.emplace_back(name, parameter.value().contiguous_copy());
    fitting.emplace_back(name, Tensor::full(parameter.shape(), 9));
  }
  REQUIRE(fitting.back().first == "scale");
  const auto refusal = [&](const NamedTensors& tensors) {
    save_safetensors(path, tensors);
    const std::string message = message_of<FileError>([&] { load(path, model); });
    for (std::size_t i = 0; i < before.size(); ++i)
      CHECK(same_bits(model.parameters()[i].value(), before[i].second));
    return message;
  };
  NamedTensors tensors = fitting;
  tensors.emplace_back("extra", Tensor::full({1}, 0));
  CHECK(refusal(tensors) ==
        "cannot load '" + path + "': it holds a parameter 'extra' that the model lacks");
  tensors = fitting;
  tensors.pop_back();
  CHECK(refusal(tensors) == "cannot load '" + path + "': it lacks the model's parameter 'scale'");
  tensors = fitting;
  tensors.back().second = Tensor::full({3}, 0);
  CHECK(contains(refusal(tensors),
                 "parameter 'scale' has shape (3,) in the file and (2,) in the model"));
  tensors.back().second = Tensor::full({2}, 0, DType::f64);
  CHECK(contains(refusal(tensors),
                 "parameter 'scale' is float64 in the file and float32 in the model"));
  work.write("model.safetensors",
             file_of(R"({"scale":{"dtype":"I32","shape":[2],"data_offsets":[0,8]}})", 8));
  CHECK(contains(message_of<FileError>([&] { load(path, model); }),
                 "it lacks the model's parameter 'hidden.weight'"));
  save_safetensors(path, fitting);
  load(path, model);
  CHECK(same_bits(model.scale.value(), fitting.back().second));
}

TEST_CASE("what cannot be written is rejected") {
  const Workplace work;
  const Tensor one = Tensor::full({1}, 1);
  const auto refusal = [&](const std::string& path, const NamedTensors& tensors,
                           const Metadata& metadata = {}) {
    return message_of<FileError>([&] { save_safetensors(path, tensors, metadata); });
  };
  const std::string path = work.path("t");
  CHECK(contains(refusal(path, {{"a", one}, {"a", one}}), "the name 'a' is taken"));
  CHECK(contains(refusal(path, {{"__metadata__", one}}), "the name '__metadata__' is taken"));
  CHECK(contains(refusal(path, {{"\xFF", one}}), "a name or its metadata is not UTF-8 text"));
  CHECK(contains(refusal(path, {}, {{"k", "\xFF"}}), "a name or its metadata is not UTF-8 text"));
  CHECK(contains(refusal(path, {{"a", Tensor()}}), "tensor 'a' is empty"));
  CHECK(refusal(work.path("none/t"), {{"a", one}}) ==
        "cannot write '" + work.path("none/t") + "': No such file or directory");
  CHECK(contains(refusal(work.path(""), {{"a", one}}), "it is a folder"));
  CHECK(contains(refusal("/dev/full", {{"a", one}}), "it is not a regular file"));
  CHECK(work.entries() == 0);
  work.write("t", "");
  CHECK(contains(refusal(path + "/t", {{"a", one}}), "Not a directory"));
  if (geteuid() == 0) {
    MESSAGE("root may write everywhere: the folder without permission is not tried");
  } else {
    fs::permissions(work.path(""), fs::perms::owner_read | fs::perms::owner_exec);
    CHECK(contains(refusal(path, {{"a", one}}), "Permission denied"));
    fs::permissions(work.path(""), fs::perms::owner_all);
  }
  CHECK(work.entries() == 1);
}

TEST_CASE("a file that does not fit on the disk leaves the old one") {
  const Workplace work;
  const std::string path = work.path("model.safetensors");
  save_safetensors(path, {{"small", Tensor::full({4}, 1)}});
  const std::string before = work.read("model.safetensors");
  std::string message;
  {
    const FileSizeLimit limit(8192);
    message = message_of<FileError>([&] {
      save_safetensors(path, {{"large", Tensor::full({10000}, 1)}});
    });
  }
  CHECK(message == "cannot write '" + path + "': File too large");
  CHECK(work.read("model.safetensors") == before);
  CHECK(work.entries() == 1);
}

TEST_CASE("check_saving() fails where saving would, and leaves no file") {
  const Workplace work;
  const auto refusal = [](const std::string& path) {
    return message_of<FileError>([&] { check_saving(path); });
  };
  CHECK(refusal("") == "cannot write '': No such file or directory");
  CHECK(contains(refusal(work.path(std::string(256, 'm'))), "File name too long"));
  CHECK(contains(refusal(work.path("none/m")), "No such file or directory"));
  CHECK(contains(refusal(work.path("m/")), "No such file or directory"));
  CHECK(contains(refusal(work.path("")), "it is a folder"));
  check_saving(work.path(std::string(255, 'm')));
  CHECK(work.entries() == 0);
  work.write("kept", "as it was");
  fs::create_symlink("kept", work.path("link"));
  fs::create_symlink("nowhere", work.path("loose"));
  for (const char* name : {"kept", "link", "loose"}) check_saving(work.path(name));
  CHECK(work.read("kept") == "as it was");
  CHECK(fs::read_symlink(work.path("link")) == "kept");
  CHECK(fs::read_symlink(work.path("loose")) == "nowhere");
  CHECK(work.entries() == 3);
}

TEST_CASE("saving keeps links and permissions") {
  const Workplace work;
  const std::string path = work.path("model"), link = work.path("link");
  save_safetensors(path, {{"a", Tensor::full({1}, 1)}});
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink(path, link);
  save_safetensors(link, {{"b", Tensor::full({1}, 1)}});
  CHECK(fs::is_symlink(link));
  CHECK(SafetensorsFile(path).find("b") != nullptr);
  CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(work.entries() == 2);
}

}  // namespace
}  // namespace hindsight::test
