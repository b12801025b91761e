#pragma once
#include <hindsight/autograd/gradient.h>

#include <memory>
#include <string>

namespace hindsight {

/// A tensor that training changes, with its gradient. Copies share both.
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
  Parameter(std::string name, const Tensor& value);

  const std::string& name() const { return data_->name; }
  void rename(std::string name) { data_->name = std::move(name); }
  const Shape& shape() const { return data_->value.shape(); }
  DType dtype() const { return data_->value.dtype(); }

  const Tensor& value() const { return data_->value; }
  /// Copies new values in; ShapeError when the shape differs. The dtype of the parameter stays.
  void assign(const Tensor& value);
  /// Says that the memory of value() was written in place.
  void changed() { ++data_->version; }
  /// Changes the element type, converting the value; the gradient is dropped.
  void to(DType dtype);

  /// The gradient summed so far (zeros when there is none): a view of memory that the next backward
  /// sweep overwrites. Copy what is to outlast it.
  Tensor gradient() const;
  bool has_gradient() const { return !data_->gradient.empty(); }
  /// The next backward sweep starts a new sum instead of adding to this one.
  void clear_gradient() { data_->gradient.forget(); }

  Data* data() const { return data_.get(); }
  explicit operator bool() const { return static_cast<bool>(data_); }

 private:
  std::shared_ptr<Data> data_;
};

}  // namespace hindsight
