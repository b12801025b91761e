#pragma once
#include <hindsight/autograd/tape/gradient.h>

#include <map>
#include <memory>
#include <string>

namespace hindsight {

/// A tensor that training updates, with its gradient. Copies share both. A default-constructed
/// Parameter is empty (false) and stands for an optional one that is absent: every method throws
/// Error, except operator bool and data(), which is null. Access is not synchronised: a Parameter
/// and its copies belong to one thread, but several may read the value while none changes it.
class Parameter {
 public:
  struct Data {
    std::string name;
    Tensor value;
    Gradient gradient;
    std::map<int, Gradient> part_gradients;  ///< of LocalGradients, kept for the next ones
    std::uint64_t version = 0;  ///< counts changes, so that cached copies can detect them
  };

  Parameter() = default;
  Parameter(std::string name, const Tensor& value);  ///< Error if `value` is empty

  const std::string& name() const { return given("name").name; }
  void rename(std::string name) { given("rename").name = std::move(name); }
  const Shape& shape() const { return given("shape").value.shape(); }
  DType dtype() const { return given("dtype").value.dtype(); }

  const Tensor& value() const { return given("value").value; }
  /// Copies the values, converted to the parameter's dtype. ShapeError if the shape differs, Error
  /// if `value` is empty.
  void assign(const Tensor& value);
  /// Must be called after the memory of value() was written in place.
  void changed() { ++given("changed").version; }
  /// Converts the value to another dtype; the gradient is released if the dtype changes.
  void to(DType dtype);

  /// The gradient accumulated so far (zeros if there is none): a view of memory that the next
  /// reverse sweep changes. Copy it to keep the values.
  Tensor gradient() const;
  bool has_gradient() const { return !given("has_gradient").gradient.empty(); }
  /// The next reverse sweep starts a new sum instead of adding to this one.
  void clear_gradient() { given("clear_gradient").gradient.clear(); }

  Data* data() const { return data_.get(); }
  explicit operator bool() const { return static_cast<bool>(data_); }
  /// Throws Error, naming `use`, if the Parameter is empty.
  void check_given(const char* use) const {
    if (!data_) throw_empty(use);
  }

 private:
  Data& given(const char* use) const {
    check_given(use);
    return *data_;
  }
  [[noreturn]] static void throw_empty(const char* use);

  std::shared_ptr<Data> data_;
};

}  // namespace hindsight
