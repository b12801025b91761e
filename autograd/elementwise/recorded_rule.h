#pragma once
#include <hindsight/autograd/elementwise/chain_rule.h>
#include <hindsight/autograd/elementwise/kernels.h>

namespace hindsight::detail {

/// The chain rule on Variables, with one recorded operation for each step: for second derivatives.
struct RecordedNumbers {
  using Number = Variable;
  using Constant = double;
  static constexpr bool kEveryValue = true;
  static constexpr SavedValues kSavedValues = SavedValues::none;

  static double constant(double value) { return value; }
  template <class F, class... X>
  static Variable apply(const F& f, const X&... x) {
    return Variable(make_expression(f, x...));
  }
  template <class P, class X>
  static const X& seen(const X& x) {
    return x;
  }
  template <class Slope>
  static Variable times(const Variable& gradient, const Slope& slope) {
    return Variable(gradient * slope);
  }
  template <class P, class N>
  static void set_tangent(const P&, N&) {}
};

struct RecordedCursor {
  const Variable* leaves;
  Variable* gradients;

  template <int L, bool Wanted>
  void load(Variable* value) const {
    *value = leaves[L];
  }
  template <int L>
  void add(const Variable& gradient) const {
    gradients[L] = gradient;
  }
};

template <class P>
void differentiate(const void* program, const Variable* leaves, const Variable& gradient,
                   Variable* gradients) {
  const P& p = *static_cast<const P*>(program);
  const RecordedCursor cursor{leaves, gradients};
  ChainNode<RecordedNumbers, P, 0, 0, false> values;
  values.compute(p, cursor);
  values.propagate(p, gradient, cursor);
}

}  // namespace hindsight::detail
