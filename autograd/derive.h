#pragma once
#include <hindsight/autograd/fused_operation.h>
#include <hindsight/autograd/program.h>

/// The way back through a program on Variables: for derivatives of derivatives.
namespace hindsight::detail {

void add_gradient(Sweep& sweep, const Operand& to, const Variable& gradient);

/// A program's values as Variables.
template <class P>
struct Traced;
template <>
struct Traced<Leaf> {
  Variable value;
  const Operand* operand;
  Traced(const Leaf&, const Operand*& next) : value(next->variable()), operand(next++) {}
  void propagate(const Leaf&, Sweep& sweep, const Variable& gradient) const {
    add_gradient(sweep, *operand, gradient);
  }
};
template <>
struct Traced<Scalar> {
  double value;
  Traced(const Scalar& s, const Operand*&) : value(s.value) {}
};
template <class F, class X>
struct Traced<Program<F, X>> {
  Traced<X> x;
  Variable value;
  Traced(const Program<F, X>& p, const Operand*& next)
      : x(std::get<0>(p.children), next), value(make_expression(p.function, x.value)) {}
  void propagate(const Program<F, X>& p, Sweep& sweep, const Variable& gradient) const {
    x.propagate(std::get<0>(p.children), sweep,
                Variable(gradient * p.function.derivative(x.value, value)));
  }
};
template <class F, class A, class B>
struct Traced<Program<F, A, B>> {
  Traced<A> a;
  Traced<B> b;
  Variable value;
  Traced(const Program<F, A, B>& p, const Operand*& next)
      : a(std::get<0>(p.children), next),
        b(std::get<1>(p.children), next),
        value(make_expression(p.function, a.value, b.value)) {}
  void propagate(const Program<F, A, B>& p, Sweep& sweep, const Variable& gradient) const {
    if constexpr (!std::is_same_v<A, Scalar>) {
      a.propagate(std::get<0>(p.children), sweep,
                  Variable(gradient * p.function.by_left(a.value, b.value, value)));
    }
    if constexpr (!std::is_same_v<B, Scalar>) {
      b.propagate(std::get<1>(p.children), sweep,
                  Variable(gradient * p.function.by_right(a.value, b.value, value)));
    }
  }
};

template <class P>
void derive(const FusedOperation& operation, Sweep& sweep, const Variable& gradient) {
  const P& p = *static_cast<const P*>(operation.program());
  const Operand* next = operation.inputs().first;
  Traced<P>(p, next).propagate(p, sweep, gradient);
}

}  // namespace hindsight::detail
