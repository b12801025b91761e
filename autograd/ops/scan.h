#pragma once
#include <hindsight/autograd/tape/variable.h>

/// Running results along an axis: element i is computed from elements 0 to i. Shapes stay.
namespace hindsight {

/// y_i = x_0 + ... + x_i, in double, rounded once an element. IndexError: axis out of range.
///   dL/dx_i = g_i + g_(i+1) + ...
Variable cumsum(const Variable& x, int axis);

/// y_i = log(exp(x_0) + ... + exp(x_i)), without overflow. IndexError: axis out of range.
///   dL/dx_i = exp(x_i - y_i) c_i,   c_i = g_i + exp(y_i - y_(i+1)) c_(i+1)
Variable logcumsumexp(const Variable& x, int axis);

/// y_i = decay_i y_(i-1) + x_i, from y_(-1) = 0: a linear recurrence along an axis, or, reversed,
/// y_i = decay_i y_(i+1) + x_i from the end. decay has x's shape: ShapeError, DTypeError.
///   dL/dx = h with h_i = g_i + decay_(i+1) h_(i+1),   dL/ddecay_i = h_i y_(i-1)
enum class Direction : bool { forward, reverse };
Variable linear_recurrence(const Variable& decay, const Variable& x, int axis,
                           Direction direction = Direction::forward);

}  // namespace hindsight
