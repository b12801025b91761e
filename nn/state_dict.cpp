#include <hindsight/nn/state_dict.h>

#include <set>

namespace hindsight::nn {
namespace {

using detail::printable;

DType dtype_of_stored(const std::string& path, const StoredTensor& stored) {
  if (stored.type == StoredType::f32) return DType::f32;
  if (stored.type == StoredType::f64) return DType::f64;
  fail<FileError>("cannot load '{}': {} holds {}, which no parameter does", path,
                  printable(stored.name), name(stored.type));
}

void check_fits(const std::string& path, const StoredTensor& stored, const Parameter& parameter) {
  const DType dtype = dtype_of_stored(path, stored);
  if (dtype != parameter.dtype()) {
    fail<FileError>("cannot load '{}': parameter {} is {} in the file and {} in the model", path,
                    printable(stored.name), name(dtype), name(parameter.dtype()));
  }
  if (stored.shape != parameter.shape()) {
    fail<FileError>("cannot load '{}': parameter {} has shape {} in the file and {} in the model",
                    path, printable(stored.name), stored.shape, parameter.shape());
  }
}

}  // namespace

void save(const std::string& path, const Module& module, const Metadata& metadata) {
  NamedTensors tensors;
  for (const auto& [name, parameter] : module.named_parameters())
    tensors.emplace_back(name, parameter.value());
  save_safetensors(path, tensors, metadata);
}

void load(const std::string& path, const Module& module) {
  const SafetensorsFile file(path);
  auto parameters = module.named_parameters();
  std::set<std::string> names;
  for (const auto& [name, parameter] : parameters) names.insert(name);
  for (const StoredTensor& stored : file.tensors()) {
    if (names.count(stored.name) == 0) {
      fail<FileError>("cannot load '{}': it holds a parameter {} that the model lacks", path,
                      printable(stored.name));
    }
  }
  for (const auto& [name, parameter] : parameters) {
    const StoredTensor* stored = file.find(name);
    if (!stored)
      fail<FileError>("cannot load '{}': it lacks the model's parameter {}", path, printable(name));
    check_fits(path, *stored, parameter);
  }
  std::vector<Tensor> values;  // all are read before the first parameter changes
  for (const auto& [name, parameter] : parameters) values.push_back(file.tensor(name));
  for (std::size_t i = 0; i < values.size(); ++i) parameters[i].second.assign(values[i]);
}

Metadata read_metadata(const std::string& path) { return SafetensorsFile(path).metadata(); }

}  // namespace hindsight::nn
