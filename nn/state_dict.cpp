#include <hindsight/nn/state_dict.h>
#include <hindsight/nn/weight_source.h>

#include <algorithm>
#include <set>

namespace hindsight::nn {
namespace {

using detail::listed;
using detail::printable;

DType dtype_of_stored(const std::string& path, const StoredTensor& stored) {
  if (stored.type == StoredType::f32) return DType::f32;
  if (stored.type == StoredType::f64) return DType::f64;
  fail<FileError>("cannot load '{}': {} holds {}, which no parameter does", path,
                  printable(stored.name), name(stored.type));
}

/// What to use for a file with the layout of another library.
const char* converter_hint(const Shape& stored, const Shape& ours) {
  if (ours.rank() == 2 && stored == Shape{ours[1], ours[0]})
    return ": it is transposed, as in Keras, whose weights keras::assign converts";
  Shape direction = stored;
  if (stored.rank() == 3 && stored[0] <= 2) direction.erase(0);
  if (stored.rank() == 3 && direction == ours)
    return ": it has an axis of directions, as in ONNX, whose weights onnx::assign converts";
  return "";
}

void check_fits(const std::string& path, const StoredTensor& stored, const Parameter& parameter) {
  const DType dtype = dtype_of_stored(path, stored);
  if (dtype != parameter.dtype()) {
    fail<FileError>("cannot load '{}': parameter {} is {} in the file and {} in the model", path,
                    printable(stored.name), name(dtype), name(parameter.dtype()));
  }
  if (stored.shape != parameter.shape()) {
    fail<FileError>("cannot load '{}': parameter {} has shape {} in the file and {} in the model{}",
                    path, printable(stored.name), stored.shape, parameter.shape(),
                    converter_hint(stored.shape, parameter.shape()));
  }
}

/// As Keras names weights: "lstm/lstm_cell/recurrent_kernel".
bool names_kernel(const std::string& name) {
  const std::string end = "kernel";
  return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

/// Names every tensor of the file that no parameter uses, and every parameter that it lacks.
void check_names(const SafetensorsFile& file,
                 const std::vector<std::pair<std::string, Parameter>>& parameters) {
  std::set<std::string> names;
  std::vector<std::string> left_over, missing;
  for (const auto& [name, parameter] : parameters) {
    names.insert(name);
    if (!file.find(name)) missing.push_back(name);
  }
  for (const StoredTensor& stored : file.tensors()) {
    if (names.count(stored.name) == 0) left_over.push_back(stored.name);
  }
  std::string text;
  if (!left_over.empty())
    text += fmt::format("it holds a parameter {} that the model lacks", listed(left_over));
  if (!missing.empty()) {
    text += fmt::format("{}it lacks the model's parameter {}", text.empty() ? "" : ", and ",
                        listed(missing));
  }
  if (text.empty()) return;
  const bool from_keras = std::any_of(left_over.begin(), left_over.end(), names_kernel);
  fail<FileError>("cannot load '{}': {}{}", file.path(), text,
                  from_keras ? "; keras::assign converts the weights of Keras layers" : "");
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
  check_names(file, parameters);
  for (const auto& [name, parameter] : parameters) check_fits(path, *file.find(name), parameter);
  std::vector<Tensor> values;  // all are read before the first parameter changes
  for (const auto& [name, parameter] : parameters) values.push_back(file.tensor(name));
  for (std::size_t i = 0; i < values.size(); ++i) parameters[i].second.assign(values[i]);
}

Metadata read_metadata(const std::string& path) { return SafetensorsFile(path).metadata(); }

}  // namespace hindsight::nn
