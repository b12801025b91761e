#pragma once
#include <hindsight/nn/safetensors.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace hindsight::conformance {

using Json = nlohmann::json;

/// Thrown when a case needs what the library or this runner cannot do; what() names it.
struct Skip {
  std::string what;
};

/// A case's options, each taken by name. An option that is not taken skips the case, as it might
/// change the result.
class Options {
 public:
  explicit Options(Json values) : values_(std::move(values)) {}

  /// False for null too, which is Python's None.
  bool has(const std::string& name) {
    taken_.insert(name);
    return values_.contains(name) && !values_[name].is_null();
  }
  template <class T>
  T get(const std::string& name) {
    if (!has(name)) fail<Error>("option {} is missing", name);
    return values_[name].get<T>();
  }
  template <class T>
  T get(const std::string& name, const T& otherwise) {
    return has(name) ? values_[name].get<T>() : otherwise;
  }
  /// Only this value, which is the default, is supported; another one skips the case.
  template <class T>
  void only(const std::string& name, const T& value) {
    if (get(name, value) != value) throw Skip{"option " + name + " = " + values_[name].dump()};
  }
  /// Marks an option that only describes how the case was made.
  void ignore(const std::string& name) { taken_.insert(name); }
  [[noreturn]] void unsupported(const std::string& name) const {
    throw Skip{"option " + name + " = " + values_[name].dump()};
  }
  /// Skips the case when an option was not taken.
  void finish() const;

 private:
  Json values_;
  std::set<std::string> taken_;
};

/// One file: the inputs of a case and its expected results, compared in double.
class Case {
 public:
  explicit Case(const std::filesystem::path& path);

  const std::string& kind() const { return kind_; }
  Options options;

  bool has(const std::string& tensor) const { return file_.find(tensor) != nullptr; }
  /// In float64, whatever the file holds.
  Tensor tensor(const std::string& name);
  Indices indices(const std::string& name);
  /// Names X of all tensors called prefix + X, in the file's order.
  std::vector<std::string> names_after(const std::string& prefix) const;

  /// Compares with the file's tensor `name`; `how` says how `got` was computed if there are several
  /// ways.
  void compare(const std::string& name, const Tensor& got, const std::string& how = "");
  /// Notes a difference other than of numbers.
  void differs(const std::string& what);

  /// The message about the worst difference, or "".
  std::string difference() const { return worst_; }
  /// Skips the case if a tensor of the file was not read.
  void finish() const;

 private:
  nn::SafetensorsFile file_;
  std::string kind_;
  std::set<std::string> used_;
  double worst_excess_ = 1;  ///< difference over the allowed one
  std::string worst_;
};

/// One function for each kind of case; they throw Skip for what they do not know.
void run_operation(Case& c);  ///< unary, binary, reduce, matmul, shape, normalize, loss
void run_recurrent(Case& c);
void run_optimizer(Case& c);
void run_clip(Case& c);
void run_training(Case& c);

}  // namespace hindsight::conformance
