#pragma once
#include <hindsight/autograd/elementwise/kernels.h>
#include <hindsight/autograd/elementwise/program.h>

/// The way back through a program on Variables: for derivatives of derivatives.
namespace hindsight::detail {

/// A program's values as Variables.
template <class P>
struct RecordedNode;
template <>
struct RecordedNode<Leaf> {
  Variable value;
  RecordedNode(const Leaf&, const Variable*& next) : value(*next++) {}
  void propagate(const Leaf&, Variable*& next, const Variable& gradient) const {
    *next++ = gradient;
  }
};
template <>
struct RecordedNode<Scalar> {
  double value;
  RecordedNode(const Scalar& s, const Variable*&) : value(s.value) {}
};
template <class F, class X>
struct RecordedNode<Program<F, X>> {
  RecordedNode<X> x;
  Variable value;
  RecordedNode(const Program<F, X>& p, const Variable*& next)
      : x(std::get<0>(p.children), next), value(make_expression(p.function, x.value)) {}
  void propagate(const Program<F, X>& p, Variable*& next, const Variable& gradient) const {
    x.propagate(std::get<0>(p.children), next,
                Variable(gradient * p.function.derivative(x.value, value)));
  }
};
template <class F, class A, class B>
struct RecordedNode<Program<F, A, B>> {
  RecordedNode<A> a;
  RecordedNode<B> b;
  Variable value;
  RecordedNode(const Program<F, A, B>& p, const Variable*& next)
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
void differentiate(const void* program, const Variable* leaves, const Variable& gradient,
                   Variable* gradients) {
  const P& p = *static_cast<const P*>(program);
  RecordedNode<P>(p, leaves).propagate(p, gradients, gradient);
}

}  // namespace hindsight::detail
