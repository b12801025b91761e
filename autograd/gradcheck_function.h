#pragma once
#include <hindsight/autograd/gradcheck.h>
#include <hindsight/autograd/random.h>

namespace hindsight {

/// Parameters, each named once, in float64 while alive, as they were afterwards.
class InDouble {
 public:
  explicit InDouble(const std::vector<Parameter>& parameters);
  ~InDouble();
  InDouble(const InDouble&) = delete;
  InDouble& operator=(const InDouble&) = delete;

 private:
  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_;
  std::vector<Gradient> gradients_;
  std::vector<std::uint64_t> versions_;
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

  double value() const;
  std::vector<Tensor> gradients() const;
  /// Sum over all elements of gradient times `directions`.
  double gradient_along(const std::vector<Tensor>& directions) const;
  /// The gradient of that, by a second sweep.
  std::vector<Tensor> second_gradients(const std::vector<Tensor>& directions) const;

  /// The operation to blame for a wrong derivative of that order.
  std::optional<Culprit> culprit(int order, const std::vector<Tensor>& directions,
                                 const CheckOptions& options) const;
  /// Which operation first computes what is not finite; empty where none does.
  std::string first_not_finite() const;

 private:
  struct Recording;
  Variable evaluate(const std::vector<Variable>& leaves) const;

  const Function& f_;
  std::vector<Parameter> parameters_;
  std::vector<Tensor> tensors_;
  std::size_t inputs_ = 0;
  mutable Tensor weights_;  // of a value that is no scalar, made when its shape is known
};

/// Normal random numbers in double.
Tensor random_like(const Shape& shape, Rng& rng);
/// Sum of the products of their elements.
double dot(const Tensor& a, const Tensor& b);

/// The first operation on the tape that is wrong on its own, or else one that reads a cut-off
/// value. `leaves` are what the derivative is asked for; what is recorded after `forward_end`
/// belongs to a backward sweep.
std::optional<Culprit> find_culprit(Tape& tape, const std::vector<Variable>& leaves,
                                    const Operation* forward_end, const CheckOptions& options);

}  // namespace hindsight
