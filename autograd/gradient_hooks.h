#pragma once
#include <hindsight/autograd/structural.h>

#include <type_traits>

/// Operations that leave a value as it is and change what goes back through it. What they give is
/// on purpose not the derivative, so gradient checks of functions with them fail, except where the
/// gradient happens to stay.
namespace hindsight {

/// x, whose gradient f sees on the way back, once a sweep and summed over all uses of the result. A
/// Variable that f returns goes on in its place (ShapeError, DTypeError where it does not fit x);
/// an f that returns nothing only looks. In a recorded sweep what f computes is recorded too.
///
///   h = hook_gradient(h, [&](const Variable& g) { norms.push_back(norm(g).item()); });
template <class F>
Variable hook_gradient(const Variable& x, const F& f) {
  return apply(
      "hook_gradient", {x}, Retain::nothing, x.shape(), x.dtype(),
      [](Inputs in, const Tensor& out) { copy(in[0], out); },
      [f](Flow& flow) {
        if constexpr (std::is_void_v<std::invoke_result_t<const F&, const Variable&>>) {
          f(flow.gradient);
          flow.add(0, flow.gradient);
        } else {
          flow.add(0, f(flow.gradient));
        }
      });
}

/// x as a constant: no gradient goes back.
Variable stop_gradient(const Variable& x);

/// x, whose gradient goes back multiplied by `factor` (-1 reverses it). OptionError unless finite.
Variable scale_gradient(const Variable& x, double factor);

/// x, each element of whose gradient goes back kept within [-limit, limit]. On the state that is
/// handed from step to step this clips the temporal component of the gradient (Mikolov 2012, as
/// told by Pascanu et al. 2013). OptionError unless limit > 0.
Variable clip_gradient(const Variable& x, double limit);

}  // namespace hindsight
