#include <hindsight/nn/module.h>

#include <algorithm>

namespace hindsight::nn {

std::vector<std::pair<std::string, Parameter>> Module::named_parameters() const {
  std::vector<std::pair<std::string, Parameter>> result;
  collect(*parts_, "", "", &result);
  return result;
}

std::vector<Parameter> Module::parameters() const {
  std::vector<Parameter> result;
  for (auto& [name, parameter] : named_parameters()) {
    const auto same = [&p = parameter](const Parameter& other) { return other.data() == p.data(); };
    if (std::none_of(result.begin(), result.end(), same)) result.push_back(parameter);
  }
  return result;
}

Size Module::parameter_count() const {
  Size count = 0;
  for (const Parameter& parameter : parameters()) count += parameter.shape().elements();
  return count;
}

std::string_view Module::path_or(std::string_view otherwise) const {
  return parts_->path.empty() ? otherwise : std::string_view(parts_->path);
}

DType Module::dtype() const {
  for (const Part& part : parts_->parts) {
    if (part.parameter) return part.parameter.dtype();
  }
  const std::vector<Parameter> all = parameters();
  return all.empty() ? DType::f32 : all.front().dtype();
}

void Module::to(DType dtype) const {
  for (Parameter& parameter : parameters()) parameter.to(dtype);
}

Parameter Module::parameter(const std::string& name, const Tensor& value) {
  Parameter result(name, value);
  add({name, "", result, nullptr});
  return result;
}

void Module::add_child(const std::string& prefix, const std::string& suffix, const Module& module) {
  add({prefix, suffix, {}, module.parts_});
  extend_path(module.parts_.get(), prefix, suffix);
  // Messages use the names that parameters have in the outermost module.
  for (auto& [name, parameter] : named_parameters()) parameter.rename(name);
}

void Module::extend_path(Parts* parts, const std::string& prefix, const std::string& suffix) {
  parts->path = parts->path.empty() ? prefix.substr(0, prefix.find_last_of('.')) + suffix
                                    : prefix + parts->path + suffix;
  for (const Part& part : parts->parts) {
    if (part.child) extend_path(part.child.get(), prefix, suffix);
  }
}

void Module::add(Part part) {
  for (const Part& other : parts_->parts) {
    if (other.prefix == part.prefix && other.suffix == part.suffix)
      fail<Error>("module: the name {} is taken", part.prefix + part.suffix);
  }
  parts_->parts.push_back(std::move(part));
}

void Module::collect(const Parts& parts, const std::string& prefix, const std::string& suffix,
                     std::vector<std::pair<std::string, Parameter>>* result) {
  for (const Part& part : parts.parts) {
    if (part.child) {
      collect(*part.child, prefix + part.prefix, part.suffix + suffix, result);
    } else {
      result->emplace_back(prefix + part.prefix + suffix, part.parameter);
    }
  }
}

}  // namespace hindsight::nn
