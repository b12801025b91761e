#pragma once
#include <hindsight/autograd/ops/apply.h>

#include <type_traits>

/// Operations that leave a value as it is and change its gradient. The result is intentionally not
/// the derivative, so gradient checks of functions with them fail unless the gradient happens to
/// stay the same.
namespace hindsight {

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
  return apply(
      "hook_gradient", {x}, Save::nothing, x.shape(), x.dtype(),
      [](Inputs in, const Tensor& out) { copy(in[0], out); },
      [f](BackwardContext& ctx) {
        if constexpr (std::is_void_v<std::invoke_result_t<const F&, const Variable&>>) {
          f(ctx.gradient);
          ctx.add(0, ctx.gradient);
        } else {
          ctx.add(0, f(ctx.gradient));
        }
      },
      [](const JvpContext& ctx) { return ctx.tangent(0); });
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
