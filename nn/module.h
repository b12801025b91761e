#pragma once
#include <hindsight/autograd/tape/parameter.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hindsight::nn {

/// Base of classes with named parameters and parts. A derived class declares each in one line:
///
///   struct Readout : Module {
///     Parameter bias = parameter("bias", init::zeros({10}));
///     Linear hidden = child("hidden", Linear({.inputs = 6, .outputs = 10}, rng));
///   };
///
/// Copies share the parameters.
class Module {
 public:
  virtual ~Module() = default;

  /// Every parameter with its full name ("hidden.weight"), in the order of declaration.
  std::vector<std::pair<std::string, Parameter>> named_parameters() const;
  /// Every parameter once, however many names it has.
  std::vector<Parameter> parameters() const;
  Size parameter_count() const;  ///< elements of all parameters

  /// The name of this part in the outermost module that declares it ("encoder.readout"), or
  /// `otherwise` if none does. Scopes use it.
  std::string_view path_or(std::string_view otherwise) const;

  /// The element type of the parameters; float32 if there are none.
  DType dtype() const;
  /// Converts every parameter to an element type.
  void to(DType dtype) const;

 protected:
  Module() : parts_(std::make_shared<Parts>()) {}

  /// Declares a parameter. Error when the name is taken.
  Parameter parameter(const std::string& name, const Tensor& value);
  /// Declares a part, whose parameters are named "name.parameter". Error when the name is taken.
  template <class M>
  M child(const std::string& name, M module) {
    add_child(name + ".", "", module);
    return module;
  }
  /// Declares a part whose parameters are named prefix + parameter + suffix. Error when another
  /// part has the same prefix and suffix.
  void add_child(const std::string& prefix, const std::string& suffix, const Module& module);

 private:
  struct Parts;
  struct Part {
    std::string prefix, suffix;
    Parameter parameter;           // or
    std::shared_ptr<Parts> child;  // the parts of a module
  };
  struct Parts {
    std::string path;
    std::vector<Part> parts;
  };
  static void extend_path(Parts* parts, const std::string& prefix, const std::string& suffix);
  static void collect(const Parts& parts, const std::string& prefix, const std::string& suffix,
                      std::vector<std::pair<std::string, Parameter>>* result);
  void add(Part part);

  std::shared_ptr<Parts> parts_;
};

}  // namespace hindsight::nn
