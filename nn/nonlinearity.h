#pragma once
#include <hindsight/autograd/elementwise/elementwise.h>

namespace hindsight::nn {

/// The functions that a simple cell may apply to its preactivation.
enum class Nonlinearity { tanh, relu, sigmoid, identity };

namespace detail {

/// use(f(z)), where z and f(z) are delayed expressions, so that what `use` makes of them is one
/// pass over memory.
template <class Z, class Use>
Variable with_nonlinearity(Nonlinearity f, const Z& z, const Use& use) {
  switch (f) {
    case Nonlinearity::relu:
      return use(relu(z));
    case Nonlinearity::sigmoid:
      return use(sigmoid(z));
    case Nonlinearity::identity:
      return use(z);
    default:
      return use(tanh(z));
  }
}

}  // namespace detail
}  // namespace hindsight::nn
