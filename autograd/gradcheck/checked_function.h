#pragma once
#include <hindsight/autograd/gradcheck/culprit.h>
#include <hindsight/autograd/tensor/random.h>

namespace hindsight {

/// Converts the parameters, each given once, to float64; restores them on destruction.
class Float64Scope {
 public:
  explicit Float64Scope(const std::vector<Parameter>& parameters);
  ~Float64Scope();
  Float64Scope(const Float64Scope&) = delete;
  Float64Scope& operator=(const Float64Scope&) = delete;

 private:
  void exchange();

  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_;  // those that the parameters do not have just now
  std::vector<Gradient> gradients_;
  std::vector<std::uint64_t> versions_;
};

/// Normal random numbers in double.
Tensor random_normal(const Shape& shape, Rng& rng);
/// Sum of the products of their elements.
double inner_product(const Tensor& a, const Tensor& b);
/// Root of the sum of the squares of the products of their elements.
double product_norm(const Tensor& a, const Tensor& b);

/// A random direction from a point, for every element of its tensors.
struct Direction {
  enum class Scale { step, proportional };

  /// Of random signs and sizes that differ, so that no element goes unseen and no two wrong ones
  /// cancel. They grow with the elements: as the steps do, or in proportion, which leaves no domain
  /// that ends at 0.
  Direction(const std::vector<Tensor>& point, Scale scale, Rng& rng);

  std::vector<Tensor> along, point;
};

/// Elements [begin, end) of tensors [first, last).
struct ElementRange {
  std::size_t first, last;
  Size begin = 0, end = kMostElements;
};

/// A function's value, and the size of what it adds up: the rounding grows with it.
struct SizedValue {
  double value, size;
};

/// A scalar function of inputs and parameters, under test: its value and its derivatives, by the
/// tape, at the point that tensors() holds.
class CheckedFunction {
 public:
  using Function = std::function<Variable(const std::vector<Variable>&)>;

  /// `f` has to outlive it.
  CheckedFunction(const Function& f, const std::vector<Tensor>& inputs,
                  const std::vector<Parameter>& parameters);

  /// The inputs, then the parameters, in memory of the check's own.
  const std::vector<Tensor>& tensors() const { return tensors_; }
  std::string name(std::size_t tensor) const;
  double* data(std::size_t tensor) const { return tensors_[tensor].data<double>(); }
  /// Says that the elements of a tensor were written.
  void changed(std::size_t tensor);
  /// Moves the elements of a range to t times the direction from its point.
  void move(const Direction& direction, const ElementRange& range, double t);
  ElementRange everything() const { return {0, tensors_.size()}; }

  double value() const;
  SizedValue sized_value() const;
  std::vector<Tensor> gradients() const;
  /// Sum over all elements of gradient times `directions`.
  double gradient_along(const std::vector<Tensor>& directions) const {
    return sized_gradient_along(directions).value;
  }
  SizedValue sized_gradient_along(const std::vector<Tensor>& directions) const;
  /// The gradient of that, by a second sweep.
  std::vector<Tensor> second_gradients(const std::vector<Tensor>& directions) const;

  /// The size of the values that the function, or its gradient along `directions`, is computed
  /// from, each as far as it matters: their rounding adds up to that of the result.
  double size_of_parts(int order, const std::vector<Tensor>& directions) const;

  /// The operation to blame for a wrong derivative of that order.
  CulpritSearch culprit(int order, const std::vector<Tensor>& directions,
                        const CheckOptions& options) const;
  /// Which operation first computes what is not finite; empty where none does.
  std::string first_not_finite() const;

 private:
  struct Recording;
  Variable output() const;
  Variable evaluate(const std::vector<Variable>& leaves) const;
  Variable weighted(const Variable& y) const;

  const Function& f_;
  std::vector<Parameter> parameters_;
  std::vector<Tensor> tensors_;
  std::size_t inputs_ = 0;
  mutable Tensor weights_;  // of a value that is no scalar, made when its shape is known
};

}  // namespace hindsight
