#pragma once
#include <hindsight/autograd/tape/variable.h>

namespace hindsight {

/// Matrix product. a: (..., M, K), b: (K, N) or (..., K, N) -> (..., M, N); axes before the last
/// two broadcast by NumPy's rules. A vector (K,) is a row on the left or a column on the right, and
/// its axis is dropped from the result. Transposed views of either side need no copy. ShapeError
/// when the inner sizes differ or a side is a scalar, DTypeError when the dtypes do.
///   dL/da = dL/dy b^T   dL/db = a^T dL/dy
/// Products with a parameter compute its gradient once for many time steps and use a transposed
/// copy of it where that is faster (tape/parameter_use.h).
Variable matmul(const Variable& a, const Variable& b);

/// Affine map of the last axis with PyTorch's weight layout: x W^T + b.
/// x: (..., I), weight: (O, I), bias: (O,) -> (..., O). One product that starts from the bias,
/// recorded as a `matmul` of three inputs. Errors as those of matmul and of the sum.
Variable linear(const Variable& x, const Variable& weight, const Variable& bias);

}  // namespace hindsight
