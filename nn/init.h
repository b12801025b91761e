#pragma once
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/autograd/tensor/tensor.h>

/// Initial values of parameters, in float32.
namespace hindsight::nn::init {

Tensor zeros(const Shape& shape);
Tensor constant(const Shape& shape, double value);
/// Uniform in [-bound, bound).
Tensor uniform(const Shape& shape, double bound, Rng& rng);
/// Normal with mean 0.
Tensor normal(const Shape& shape, double deviation, Rng& rng);
/// A matrix, uniform with the bound sqrt(6 / (rows + columns)) (Glorot & Bengio 2010). ShapeError
/// for other ranks.
Tensor glorot(const Shape& shape, Rng& rng);
/// The identity matrix (size, size) times `scale` (Le, Jaitly & Hinton 2015).
Tensor identity(Size size, double scale = 1);
/// A matrix with orthonormal rows or columns, whichever are fewer, times `scale` (Saxe et al.
/// 2014), by applying Gram-Schmidt twice to normal vectors. ShapeError for other ranks.
Tensor orthogonal(const Shape& shape, Rng& rng, double scale = 1);
/// The largest modulus of an eigenvalue, computed in double; 0 when a power of the matrix is 0 up
/// to rounding (nilpotent). ShapeError unless the matrix is square with at least one row,
/// NonFiniteError for NaN and infinite elements.
double spectral_radius(const Tensor& matrix);
/// The matrix times radius / spectral_radius(matrix), in its dtype (Jaeger 2001). OptionError
/// unless the radius is positive and finite, and for a nilpotent matrix; else as spectral_radius.
Tensor with_spectral_radius(const Tensor& matrix, double radius);

}  // namespace hindsight::nn::init
