#pragma once
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/autograd/tensor/tensor.h>

/// Initial values of parameters, float32. The random numbers come from the Rng that is passed.
namespace hindsight::nn::init {

Tensor zeros(const Shape& shape);
Tensor constant(const Shape& shape, double value);
/// Uniform in [-bound, bound).
Tensor uniform(const Shape& shape, double bound, Rng& rng);
/// Normal with mean 0.
Tensor normal(const Shape& shape, double deviation, Rng& rng);
/// Uniform with bound sqrt(6 / (rows + columns)) of a matrix (Glorot & Bengio 2010).
Tensor glorot(const Shape& shape, Rng& rng);
/// The identity matrix times `scale`, of a square shape (Le, Jaitly & Hinton 2015).
Tensor identity(Size size, double scale = 1);
/// A matrix with orthonormal rows or columns, whichever are fewer, times `scale` (Saxe et al.
/// 2014): Gram-Schmidt, twice, on normal vectors.
Tensor orthogonal(const Shape& shape, Rng& rng, double scale = 1);

}  // namespace hindsight::nn::init
