#pragma once
#include <hindsight/autograd/tape/variable.h>

/// Running results along an axis: element i is computed from elements 0 to i. Large ones run on as
/// many threads as a product may use (blas::set_threads), with the same bits. Every result has the
/// shape and dtype of x; an axis out of range is an IndexError.
namespace hindsight {

/// y_i = x_0 + ... + x_i, summed in double, each rounded once. x: any shape -> the same.
///   dL/dx_i = g_i + g_(i+1) + ...
Variable cumsum(const Variable& x, int axis);

/// y_i = log(exp(x_0) + ... + exp(x_i)), without overflow. x: any shape -> the same.
///   dL/dx_i = exp(x_i - y_i) c_i,   c_i = g_i + exp(y_i - y_(i+1)) c_(i+1)
Variable logcumsumexp(const Variable& x, int axis);

enum class Direction : bool { forward, reverse };
/// y_i = decay_i y_(i-1) + x_i from y_(-1) = 0: a linear recurrence along an axis, or, in reverse,
/// y_i = decay_i y_(i+1) + x_i from the end. The running value is a double, and each y_i is rounded
/// once. decay, x: one shape and dtype (ShapeError, DTypeError) -> the same.
///   dL/dx = h with h_i = g_i + decay_(i+1) h_(i+1),   dL/ddecay_i = h_i y_(i-1)
Variable linear_recurrence(const Variable& decay, const Variable& x, int axis,
                           Direction direction = Direction::forward);
/// The same from y_(-1) = initial (in reverse, from the one after the end). initial: the shape of x
/// without the axis.
///   dL/dinitial = decay_0 h_0
Variable linear_recurrence(const Variable& decay, const Variable& x, int axis,
                           const Variable& initial, Direction direction = Direction::forward);

}  // namespace hindsight
