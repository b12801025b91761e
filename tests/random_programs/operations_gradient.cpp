// What changes or looks at the gradient alone, gradients within programs, and a user's operation.
#include "chooser.h"
#include "operations.h"

namespace hindsight::random_programs {
namespace {

using In = const Call&;

bool choose_factor(Chooser& choose, Step& step) {
  step.reals = {choose.chance(0.5) ? -1.0 : 2.0};
  return values(1)(choose, step);
}

/// x (1 + x) under an operation of the user's own.
Variable run_apply(In call) {
  return apply(
      "mine", {call[0]}, Save::inputs, call[0].shape(), call[0].dtype(),
      [](Inputs in, const Tensor& out) {
        const Tensor x = in[0];
        for (Size i = 0; i < out.elements(); ++i) out.set(i, x.at(i) * (1 + x.at(i)));
      },
      [](BackwardContext& ctx) { ctx.add(0, ctx.gradient * (1 + 2 * ctx.input(0))); });
}

/// A hook that asks the tape for another gradient while it is swept. What it gives is known for a
/// value of its own: that by the states of a sequence contains their later states.
Variable run_look(In call) {
  const Variable x = call[0];
  if (!x.recorded()) return x;
  const Variable own = 1.0 * x, y = sum(square(own));
  Tape* tape = Tape::current();
  return hook_gradient(x, [=](const Variable&) {
    const std::vector<Variable> got = tape->gradient(y, {own, x});
    if (got[0].value().to_vector() != Variable(2 * Variable(own.value())).value().to_vector())
      throw Error("the hook saw a wrong gradient");
  });
}

/// A gradient that is part of the program, as in a gradient penalty. By a value of its own: that by
/// the states of a sequence is the total derivative where the sequence is recorded, later states
/// included, and the direct one where it is a constant.
Variable run_penalty(In call) {
  const auto gradient = [](Tape& tape, const Variable& of) {
    const Variable x = 1.0 * of;
    return tape.gradient(sum(tanh(x) * square(x)), {x}, {.create_graph = true})[0];
  };
  if (call[0].recorded()) return gradient(*Tape::current(), call[0]);
  Tape tape;
  return gradient(tape, tape.watch(call[0].value())).detach();
}

}  // namespace

const std::vector<Operation>& gradient_operations() {
  static const std::vector<Operation> kAll = {
      {"hook_gradient(%0, looks)", values(1),
       [](In x) { return hook_gradient(x[0], [](const Variable& g) { (void)g.shape(); }); }},
      {"hook_gradient(%0, g * $0)",
       choose_factor,
       [](In x) {
         const double factor = x.real(0);
         return x.execution.scale(x[0], factor, [factor](const Variable& v) {
           return hook_gradient(v, [factor](const Variable& g) { return Variable(g * factor); });
         });
       },
       {},
       true},
      {"scale_gradient(%0, $0)",
       choose_factor,
       [](In x) {
         const double factor = x.real(0);
         return x.execution.scale(
             x[0], factor, [factor](const Variable& v) { return scale_gradient(v, factor); });
       },
       {},
       true},
      {"hook_gradient(%0, looks at the gradient of sum(square(%0)))", values(1), run_look},
      {"clip_gradient(%0, 1e6)", values(1), [](In x) { return clip_gradient(x[0], 1e6); }},
      {"stop_gradient(%0)", values(1), [](In x) { return x.execution.stop(x[0]); }},
      {"Tape::current()->gradient(sum(tanh(%0) * square(%0)), {%0}, {.create_graph = true})[0]",
       values(1), run_penalty},
      {"apply(\"mine\": x (1 + x), {%0})", values(1), run_apply},
  };
  return kAll;
}

}  // namespace hindsight::random_programs
