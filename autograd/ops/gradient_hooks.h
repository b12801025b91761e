#pragma once
#include <hindsight/autograd/ops/apply.h>

#include <type_traits>

/// Operations that leave a value as it is and change its gradient. The result is intentionally not
/// the derivative, so gradient checks of functions with them fail unless the gradient happens to
/// stay the same.
namespace hindsight {

namespace detail {

template <class F>
class GradientHook final : public Operation {
 public:
  GradientHook(const Variable& x, const F& f, std::uint64_t tape)
      : input_(x, Operand::Save::nothing, tape), f_(f) {}
  const char* name() const override { return "hook_gradient"; }
  std::pair<const Operand*, int> inputs() const override { return {&input_, 1}; }
  void run() override {
    Node* node = output_.node();
    node->value = Buffer(node->shape.elements() * bytes_of(node->dtype));
    copy(input_.variable().value(), output_.variable().value());
  }
  void backward(ReverseSweep& sweep) override {
    BackwardContext ctx(sweep, *this);
    if constexpr (std::is_void_v<std::invoke_result_t<const F&, const Variable&>>) {
      f_(ctx.gradient);
      ctx.add(0, ctx.gradient);
    } else {
      ctx.add(0, f_(ctx.gradient));
    }
  }
  void jvp(ForwardSweep& sweep) override {
    if (const Variable tangent = sweep.tangent(input_)) sweep.set(output_, tangent);
  }
  bool jvp_reads_only_saved() const override { return true; }

 private:
  Operand input_;
  F f_;
};

}  // namespace detail

/// Returns x; f is called with its gradient in each reverse sweep, once, summed over all uses of
/// the result. A Variable that f returns replaces the gradient (ShapeError or DTypeError when it
/// does not fit x); an f that returns nothing only observes it. In a recorded sweep f is recorded
/// too and must compute its result from the gradient with operations on Variables (else TapeError).
/// Forward mode ignores hooks: there the tangent is that of x.
///
///   h = hook_gradient(h, [&](const Variable& g) { norms.push_back(norm(g).item()); });
template <class F>
Variable hook_gradient(const Variable& x, const F& f) {
  check_given("hook_gradient", x);
  const OperationScope scope;
  const Variable output = Variable::make(x.shape(), x.dtype());
  copy(x.value(), output.value());
  if (x.recorded()) {
    new_operation<detail::GradientHook<F>>(x, f, Tape::current()->id())
        .release()
        ->record_output(output);
  }
  scope.computed("hook_gradient", output);
  return output;
}

/// x as a constant, to which no gradient is propagated.
Variable stop_gradient(const Variable& x);

/// Returns x; its gradient is multiplied by `factor` (-1 reverses it). OptionError unless finite.
Variable scale_gradient(const Variable& x, double factor);

/// Returns x; its gradient is clamped elementwise to [-limit, limit]. Applied to the state that one
/// time step passes to the next, this clips the temporal component of the gradient (Mikolov 2012,
/// described by Pascanu et al. 2013). OptionError unless limit > 0.
Variable clip_gradient(const Variable& x, double limit);

}  // namespace hindsight
