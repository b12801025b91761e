#pragma once
#include "support.h"

/// Shared by the tests that compare error messages word for word.
namespace hindsight::test {

/// Ones.
inline Variable value(const Shape& shape, DType dtype = DType::f32) {
  return Variable(Tensor::full(shape, 1, dtype));
}

/// Checks that `f` throws exactly an E with this text.
template <class E, class F>
void rejects(const char* text, F&& f) {
  CHECK(message_of<E>(f) == std::string(text));
}

}  // namespace hindsight::test
