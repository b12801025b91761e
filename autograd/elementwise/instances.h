#pragma once
#include <hindsight/autograd/elementwise/recorded_rule.h>
#include <hindsight/autograd/elementwise/tangent_loops.h>
#include <hindsight/autograd/elementwise/value_loops.h>

/// Programs that nearly every source file would instantiate, since second derivatives consist of
/// them: their loops are compiled once, in instances.cpp, instead of in every file.
namespace hindsight::detail {
namespace common {

namespace f = functions;
template <class F, class... Children>
using Of = Program<F, Children...>;
using L = Leaf;
using S = Scalar;

using Programs = std::tuple<
    // of one value
    Of<f::Negate, L>, Of<f::Exp, L>, Of<f::Log, L>, Of<f::Square, L>, Of<f::Sqrt, L>,
    Of<f::Tanh, L>, Of<f::Sigmoid, L>, Of<f::Abs, L>, Of<f::Sign, L>, Of<f::Relu, L>,
    Of<f::Positive, L>, Of<f::IsZero, L>,
    // of two
    Of<f::Add, L, L>, Of<f::Subtract, L, L>, Of<f::Multiply, L, L>, Of<f::Divide, L, L>,
    Of<f::Masked, L, L>, Of<f::Where, L, L>, Of<f::Gap, L, L>,
    // of a value and a number
    Of<f::Add, L, S>, Of<f::Add, S, L>, Of<f::Subtract, L, S>, Of<f::Subtract, S, L>,
    Of<f::Multiply, L, S>, Of<f::Multiply, S, L>, Of<f::Divide, L, S>, Of<f::Divide, S, L>,
    // gradients times the derivatives of common functions
    Of<f::Multiply, L, Of<f::Subtract, S, Of<f::Multiply, L, L>>>,
    Of<f::Multiply, L, Of<f::Subtract, L, Of<f::Multiply, L, L>>>,
    Of<f::Multiply, L, Of<f::Subtract, S, Of<f::IsZero, L>>>,
    Of<f::Multiply, L, Of<f::Multiply, S, L>>, Of<f::Multiply, L, Of<f::Divide, S, L>>,
    Of<f::Multiply, L, Of<f::Divide, Of<f::Negate, L>, L>>, Of<f::Multiply, L, Of<f::Positive, L>>,
    Of<f::Multiply, L, Of<f::Sign, L>>>;

template <std::size_t I>
using At = std::tuple_element_t<I, Programs>;

}  // namespace common

// Explicit instantiations cannot be made in a loop.
// clang-format off
#define HINDSIGHT_FOR_COMMON(X)                                           \
  X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)     \
  X(13) X(14) X(15) X(16) X(17) X(18) X(19) X(20) X(21) X(22) X(23) X(24) \
  X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) X(33) X(34)
// clang-format on
static_assert(std::tuple_size_v<common::Programs> == 35, "HINDSIGHT_FOR_COMMON counts them");

#define HINDSIGHT_DECLARE_LOOPS(i, T)                                                           \
  extern template void forward_loop<common::At<i>, T>(const void*, const ForwardRows&);         \
  extern template void backward_loop<common::At<i>, T>(const void*, const BackwardRows&);       \
  extern template void tangent_forward_loop<common::At<i>, T>(const void*, const ForwardRows&); \
  extern template void tangent_backward_loop<common::At<i>, T>(const void*, const BackwardRows&);
#define HINDSIGHT_DECLARE(i)                                                                       \
  HINDSIGHT_DECLARE_LOOPS(i, float)                                                                \
  HINDSIGHT_DECLARE_LOOPS(i, double)                                                               \
  extern template void differentiate<common::At<i>>(const void*, const Variable*, const Variable&, \
                                                    Variable*);

HINDSIGHT_FOR_COMMON(HINDSIGHT_DECLARE)

#undef HINDSIGHT_DECLARE
#undef HINDSIGHT_DECLARE_LOOPS

}  // namespace hindsight::detail
