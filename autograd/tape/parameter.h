#pragma once
#include <hindsight/autograd/tape/gradient.h>

#include <memory>
#include <string>

namespace hindsight {

/// A tensor that training changes, with its gradient. Copies share both. One that was never given a
/// value is empty (false), as an optional one that is missing; every other use of it is an Error.
class Parameter {
 public:
  struct Data {
    std::string name;
    Tensor value;
    Gradient gradient;
    std::uint64_t version =
        0;  ///< counts changes, so that copies made for speed know they are stale
  };

  Parameter() = default;
  Parameter(std::string name, const Tensor& value);  ///< Error of an empty Tensor

  const std::string& name() const { return given("name").name; }
  void rename(std::string name) { given("rename").name = std::move(name); }
  const Shape& shape() const { return given("shape").value.shape(); }
  DType dtype() const { return given("dtype").value.dtype(); }

  const Tensor& value() const { return given("value").value; }
  /// Copies new values in; ShapeError when the shape differs. The dtype of the parameter stays.
  void assign(const Tensor& value);
  /// Says that the memory of value() was written in place.
  void changed() { ++given("changed").version; }
  /// Changes the element type, converting the value; the gradient is dropped.
  void to(DType dtype);

  /// The gradient summed so far (zeros when there is none): a view of memory that the next backward
  /// sweep overwrites. Copy what is to outlast it.
  Tensor gradient() const;
  bool has_gradient() const { return !given("has_gradient").gradient.empty(); }
  /// The next backward sweep starts a new sum instead of adding to this one.
  void clear_gradient() { given("clear_gradient").gradient.clear(); }

  Data* data() const { return data_.get(); }
  explicit operator bool() const { return static_cast<bool>(data_); }
  /// Error naming `use` where the Parameter is empty.
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
