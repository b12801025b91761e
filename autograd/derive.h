#pragma once
#include <hindsight/autograd/fused_operation.h>
#include <hindsight/autograd/program.h>

/// The way back through a program on Variables: for derivatives of derivatives.
namespace hindsight::detail {

/// A program's values as Variables.
template <class P>
struct Traced;
template <>
struct Traced<Leaf> {
  Variable value;
  Traced(const Leaf&, const Variable*& next) : value(*next++) {}
  void propagate(const Leaf&, Variable*& next, const Variable& gradient) const {
    *next++ = gradient;
  }
};
template <>
struct Traced<Scalar> {
  double value;
  Traced(const Scalar& s, const Variable*&) : value(s.value) {}
};
template <class F, class X>
struct Traced<Program<F, X>> {
  Traced<X> x;
  Variable value;
  Traced(const Program<F, X>& p, const Variable*& next)
      : x(std::get<0>(p.children), next), value(make_expression(p.function, x.value)) {}
  void propagate(const Program<F, X>& p, Variable*& next, const Variable& gradient) const {
    x.propagate(std::get<0>(p.children), next,
                Variable(gradient * p.function.derivative(x.value, value)));
  }
};
template <class F, class A, class B>
struct Traced<Program<F, A, B>> {
  Traced<A> a;
  Traced<B> b;
  Variable value;
  Traced(const Program<F, A, B>& p, const Variable*& next)
      : a(std::get<0>(p.children), next),
        b(std::get<1>(p.children), next),
        value(make_expression(p.function, a.value, b.value)) {}
  void propagate(const Program<F, A, B>& p, Variable*& next, const Variable& gradient) const {
    if constexpr (!std::is_same_v<A, Scalar>) {
      a.propagate(std::get<0>(p.children), next,
                  Variable(gradient * p.function.by_left(a.value, b.value, value)));
    }
    if constexpr (!std::is_same_v<B, Scalar>) {
      b.propagate(std::get<1>(p.children), next,
                  Variable(gradient * p.function.by_right(a.value, b.value, value)));
    }
  }
};

template <class P>
void derive(const void* program, const Variable* leaves, const Variable& gradient,
            Variable* gradients) {
  const P& p = *static_cast<const P*>(program);
  Traced<P>(p, leaves).propagate(p, gradients, gradient);
}

}  // namespace hindsight::detail
