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
  raise,   ///< NonFiniteError naming the parameter; nothing is changed
  skip,    ///< leaves the parameters as they are and says so in the report
  shrink,  ///< replaces the gradient by 0.02 w, as the code of Pascanu et al. 2013 does
};

/// What every optimizer does around its update rule.
struct StepOptions {
  double learning_rate = 1e-3;
  double clip_norm =
      0;  ///< largest global norm of the gradient (Pascanu et al. 2013); 0 does not clip
  std::vector<L2> regularizers = {};
  OnNonFinite on_non_finite = OnNonFinite::raise;
};

/// What one step saw and did.
struct Report {
  double gradient_norm = 0;  ///< global 2-norm with regularizers, before clipping
  bool clipped = false;
  bool skipped = false;  ///< a non-finite gradient, and the policy was skip
  bool shrunk = false;   ///< a non-finite gradient, and the policy was shrink
};

/// Changes parameters by their gradients. One step is a pipeline: collect the gradients, add the
/// regularizers' gradients, measure, clip, update, report. The gradients that users see are never
/// written; after a step the next backward sweep starts a new sum.
class Optimizer {
 public:
  virtual ~Optimizer() = default;

  Report step();
  double learning_rate() const { return options_.learning_rate; }
  void set_learning_rate(double rate);
  Size steps() const { return steps_; }  ///< that changed the parameters

 protected:
  /// OptionError for options out of range, Error without parameters.
  Optimizer(const std::vector<Parameter>& parameters, const StepOptions& options);

  /// Changes parameter i by `scale` times `gradient` (dense, of the parameter's shape and type).
  virtual void update(std::size_t i, const Tensor& gradient, double scale) = 0;

  const std::vector<Parameter>& parameters() const { return parameters_; }
  /// A tensor like parameter i for what the rule remembers, zero at first. Where the parameter's
  /// element type has changed, the memory is converted as its value was.
  static Tensor& state_of(std::vector<Tensor>& memory, const Parameter& parameter, std::size_t i);

 private:
  void collect();
  void regularize();
  double norm() const;                         // of all gradients of the step
  [[noreturn]] void throw_not_finite() const;  // a gradient that is not finite

  std::vector<Parameter> parameters_;
  std::vector<Tensor> gradients_;  // of the step under way; empty where a parameter has none
  StepOptions options_;
  Size steps_ = 0;
};

}  // namespace hindsight::optim
