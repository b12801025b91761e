#pragma once
#include <hindsight/nn/safetensors.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hindsight::nn {

/// Named tensors of another library, each of which must be taken exactly once.
///
///   nn::WeightSource file("model.safetensors");
///   nn::onnx::assign(gru, {{.W = file.take("W"), .R = file.take("R"), .B = file.take("B")}});
///   file.finish();
class WeightSource {
 public:
  /// All tensors of a .safetensors file. FileError when it cannot be read.
  explicit WeightSource(const std::string& path);
  /// Tensors that were read by other means. FileError when two have the same name.
  explicit WeightSource(const NamedTensors& tensors);

  bool has(const std::string& name) const { return tensors_.count(name) > 0; }
  /// FileError when there is no tensor of that name, or it was taken before.
  Tensor take(const std::string& name);
  /// Likewise, but an empty Tensor when there is none of that name.
  Tensor take_if_present(const std::string& name) { return has(name) ? take(name) : Tensor(); }
  /// The names of the tensors that were not taken yet, sorted.
  std::vector<std::string> left_over() const;
  /// FileError, naming the tensors that were not taken, if there are any.
  void finish() const;

 private:
  struct Entry {
    Tensor tensor;
    bool taken = false;
  };
  std::string origin_;  // for messages
  std::map<std::string, Entry> tensors_;
};

namespace detail {

/// Names for messages: "'a', and also 'b', 'c' and 4 more".
std::string listed(const std::vector<std::string>& names);

}  // namespace detail
}  // namespace hindsight::nn
