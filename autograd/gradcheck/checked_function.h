#pragma once
#include <hindsight/autograd/gradcheck/culprit.h>
#include <hindsight/autograd/tensor/random.h>

namespace hindsight::detail {

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
  std::vector<Tensor> values_;  // those as given, while active; exchange() swaps them
  std::vector<Gradient> gradients_;
  std::vector<std::uint64_t> versions_;
};

/// Standard normal random numbers in float64.
Tensor random_normal(const Shape& shape, Rng& rng);
/// sum(a b)
double inner_product(const Tensor& a, const Tensor& b);
/// sqrt(sum((a b)^2))
double product_norm(const Tensor& a, const Tensor& b);

/// A point, given by tensors, and a random direction from it.
struct Direction {
  enum class Scale { step, proportional };

  /// Signs and magnitudes are random, so that no element goes unseen and no two wrong ones cancel.
  /// Magnitudes grow like max(1, |x|), as the steps of the check do, or in proportion to |x|, which
  /// stays in domains that end at 0.
  Direction(const std::vector<Tensor>& point, Scale scale, Rng& rng);

  std::vector<Tensor> along, point;
};

/// Elements [begin, end) of tensors [first, last).
struct ElementRange {
  std::size_t first, last;
  Size begin = 0, end = kMostElements;
};

/// A function's value, and the magnitude of its terms, with which its rounding grows.
struct SizedValue {
  double value, size;
};

/// The scalar function under test, of inputs and parameters: its value, and its derivatives by the
/// tape, at the point that tensors() holds.
class CheckedFunction {
 public:
  using Function = std::function<Variable(const std::vector<Variable>&)>;

  /// `f` must outlive this object.
  CheckedFunction(const Function& f, const std::vector<Tensor>& inputs,
                  const std::vector<Parameter>& parameters);

  /// The inputs, then the parameters, in memory that only the check uses.
  const std::vector<Tensor>& tensors() const { return tensors_; }
  std::string name(std::size_t tensor) const;
  double* data(std::size_t tensor) const { return tensors_[tensor].data<double>(); }
  /// To be called after the elements of a tensor were written.
  void changed(std::size_t tensor);
  /// Sets the elements of a range to point + t * along of the direction.
  void move(const Direction& direction, const ElementRange& range, double t);
  ElementRange everything() const { return {0, tensors_.size()}; }

  double value() const;
  SizedValue sized_value() const;
  std::vector<Tensor> gradients() const;
  /// The directional derivative <gradient, directions>.
  double gradient_along(const std::vector<Tensor>& directions) const {
    return sized_gradient_along(directions).value;
  }
  SizedValue sized_gradient_along(const std::vector<Tensor>& directions) const;
  /// The gradient of gradient_along(), by a second reverse sweep.
  std::vector<Tensor> second_gradients(const std::vector<Tensor>& directions) const;

  /// The root sum of squares of all intermediate values, each times the derivative by it of the
  /// function (order 1) or of its gradient along `directions` (order 2). Their rounding adds up to
  /// that of the result.
  double size_of_parts(int order, const std::vector<Tensor>& directions) const;

  /// Searches for the operation to blame for a wrong derivative of that order.
  CulpritSearch culprit(int order, const std::vector<Tensor>& directions,
                        const CheckOptions& options) const;
  /// The message about the first operation that computes NaN or infinity; empty if there is none.
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
  mutable Tensor weights_;  // for a value that is not a scalar, made once its shape is known
};

}  // namespace hindsight::detail
