#include <hindsight/nn/weight_source.h>

namespace hindsight::nn {
namespace {

constexpr std::size_t kMostListed = 8;  // names in a message: more than one layer has

}  // namespace

WeightSource::WeightSource(const std::string& path) : origin_(fmt::format("'{}'", path)) {
  const SafetensorsFile file(path);
  for (const StoredTensor& stored : file.tensors())
    tensors_[stored.name].tensor = file.tensor(stored.name);
}

WeightSource::WeightSource(const NamedTensors& tensors) : origin_("the weights") {
  for (const auto& [name, tensor] : tensors) {
    if (!tensors_.insert({name, Entry{tensor}}).second) {
      fail<FileError>("cannot load {}: two tensors are named {}", origin_, detail::printable(name));
    }
  }
}

Tensor WeightSource::take(const std::string& name) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    const std::vector<std::string> others = left_over();
    fail<FileError>("cannot load {}: there is no tensor {}; not used so far: {}", origin_,
                    detail::printable(name), others.empty() ? "none" : detail::listed(others));
  }
  if (found->second.taken) {
    fail<FileError>("cannot load {}: tensor {} was used before", origin_, detail::printable(name));
  }
  found->second.taken = true;
  return std::move(found->second.tensor);
}

std::vector<std::string> WeightSource::left_over() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : tensors_) {
    if (!entry.taken) names.push_back(name);
  }
  return names;
}

void WeightSource::finish() const {
  const std::vector<std::string> names = left_over();
  if (names.empty()) return;
  fail<FileError>("cannot load {}: nothing uses its tensor {}", origin_, detail::listed(names));
}

std::string detail::listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kMostListed; ++i) {
    text += i == 0 ? "" : i == 1 ? ", and also " : ", ";
    text += printable(names[i]);
  }
  if (names.size() > kMostListed) text += fmt::format(" and {} more", names.size() - kMostListed);
  return text;
}

}  // namespace hindsight::nn
