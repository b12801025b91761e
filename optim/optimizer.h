#pragma once
#include <hindsight/autograd/tape/parameter.h>

#include <string>
#include <vector>

namespace hindsight::optim {

/// Penalty strength / 2 * |w|^2 on every parameter: adds strength * w to its gradient.
struct L2 {
  double strength = 0;
};

/// What step() does when a gradient is NaN or infinite.
enum class OnNonFinite {
  raise,   ///< throws NonFiniteError naming the parameter; nothing is changed
  skip,    ///< leaves the parameters as they are and says so in the report
  shrink,  ///< replaces the gradient by 0.02 w, as the code of Pascanu et al. 2013 does
};

/// Options of every optimizer, whatever its update rule.
struct StepOptions {
  double learning_rate = 1e-3;
  /// Largest global 2-norm of the gradient (Pascanu et al. 2013); 0 does not clip.
  double clip_norm = 0;
  std::vector<L2> regularizers = {};
  OnNonFinite on_non_finite = OnNonFinite::raise;
};

namespace detail {

/// The part of an update rule's options (SgdOptions, AdamOptions) that every optimizer has.
template <class Options>
StepOptions step_options(const Options& options) {
  return {.learning_rate = options.learning_rate,
          .clip_norm = options.clip_norm,
          .regularizers = options.regularizers,
          .on_non_finite = options.on_non_finite};
}

}  // namespace detail

/// The result of one step.
struct Report {
  double gradient_norm = 0;  ///< global 2-norm with regularizers, before clipping
  bool clipped = false;
  bool skipped = false;  ///< a gradient was not finite, and the policy was skip
  bool shrunk = false;   ///< a gradient was not finite, and the policy was shrink
};

/// Updates parameters from their gradients. One step is a pipeline: collect the gradients, add
/// those of the regularizers, measure the norm, clip, update, report. The gradients that users see
/// are never written; after a step the next reverse sweep starts a new sum.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  Report step();
  double learning_rate() const { return options_.learning_rate; }
  void set_learning_rate(double rate);
  Size steps() const { return steps_; }  ///< that were not skipped

 protected:
  /// OptionError for options out of range, for no parameters, or for one given twice; Error for an
  /// empty one.
  Optimizer(const std::vector<Parameter>& parameters, const StepOptions& options);

  /// Updates parameter i from `scale` times `gradient`, which is contiguous and has the parameter's
  /// shape and dtype.
  virtual void update(std::size_t i, const Tensor& gradient, double scale) = 0;

  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// The rule's state for parameter i, a tensor of its shape, zero at first. When the parameter's
  /// dtype has changed, the state is converted to it.
  static Tensor& state_of(std::vector<Tensor>& memory, const Parameter& parameter, std::size_t i);

 private:
  void collect();
  void regularize();
  double norm() const;  // of all gradients of the step
  [[noreturn]] void throw_not_finite() const;

  std::vector<Parameter> parameters_;
  std::vector<Tensor> gradients_;  // of the current step; empty where a parameter has none
  StepOptions options_;
  Size steps_ = 0;
};

}  // namespace hindsight::optim
