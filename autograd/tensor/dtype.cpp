#include <hindsight/autograd/tensor/dtype.h>

namespace hindsight {

const char* name(DType dtype) { return dtype == DType::f32 ? "float32" : "float64"; }

}  // namespace hindsight
