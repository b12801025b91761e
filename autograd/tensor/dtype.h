#pragma once
#include <cstdint>

namespace hindsight {

using Size = std::int64_t;

/// Element type of a tensor, chosen at run time: a model is trained in f32 and checked in f64.
enum class DType : std::uint8_t { f32, f64 };

const char* name(DType dtype);  ///< "float32", "float64"
constexpr Size bytes_of(DType dtype) { return dtype == DType::f32 ? 4 : 8; }

template <class T>
constexpr DType dtype_of = sizeof(T) == 4 ? DType::f32 : DType::f64;

/// Calls `f` with a zero of the C++ type of `dtype`.
template <class F>
decltype(auto) dispatch(DType dtype, F&& f) {
  if (dtype == DType::f32) return f(float{});
  return f(double{});
}

}  // namespace hindsight
