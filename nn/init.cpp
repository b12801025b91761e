#include <hindsight/nn/init.h>

#include <cmath>
#include <vector>

namespace hindsight::nn::init {
namespace {

template <class F>
Tensor filled(const Shape& shape, F&& value) {
  const Tensor t(shape, DType::f32);
  float* values = t.data<float>();
  for (Size i = 0; i < t.elements(); ++i) values[i] = static_cast<float>(value());
  return t;
}

void check_matrix(const char* name, const Shape& shape) {
  if (shape.rank() != 2) fail<ShapeError>("init::{}: shape {}; a matrix is needed", name, shape);
}

double fan_in(const char* name, const Shape& shape) {
  check_matrix(name, shape);
  return static_cast<double>(shape[1]);
}

double fan_in_and_out(const char* name, const Shape& shape) {
  check_matrix(name, shape);
  return static_cast<double>(shape[0] + shape[1]);
}

}  // namespace

Tensor zeros(const Shape& shape) { return Tensor::zeros(shape); }
Tensor constant(const Shape& shape, double value) { return Tensor::full(shape, value); }

Tensor uniform(const Shape& shape, double bound, Rng& rng) {
  return filled(shape, [&] { return rng.uniform(-bound, bound); });
}

Tensor normal(const Shape& shape, double deviation, Rng& rng) {
  return filled(shape, [&] { return deviation * rng.normal(); });
}

Tensor glorot(const Shape& shape, Rng& rng) {
  return uniform(shape, std::sqrt(6 / fan_in_and_out("glorot", shape)), rng);
}

Tensor glorot_normal(const Shape& shape, Rng& rng) {
  return normal(shape, std::sqrt(2 / fan_in_and_out("glorot_normal", shape)), rng);
}

Tensor he_uniform(const Shape& shape, Rng& rng) {
  return uniform(shape, std::sqrt(6 / fan_in("he_uniform", shape)), rng);
}

Tensor he_normal(const Shape& shape, Rng& rng) {
  return normal(shape, std::sqrt(2 / fan_in("he_normal", shape)), rng);
}

Tensor lecun_uniform(const Shape& shape, Rng& rng) {
  return uniform(shape, std::sqrt(3 / fan_in("lecun_uniform", shape)), rng);
}

Tensor lecun_normal(const Shape& shape, Rng& rng) {
  return normal(shape, std::sqrt(1 / fan_in("lecun_normal", shape)), rng);
}

Tensor identity(Size size, double scale) {
  const Tensor t = zeros({size, size});
  for (Size i = 0; i < size; ++i) t.set(i * size + i, scale);
  return t;
}

Tensor orthogonal(const Shape& shape, Rng& rng, double scale) {
  check_matrix("orthogonal", shape);
  const bool wide = shape[0] <= shape[1];
  const Size count = wide ? shape[0] : shape[1], length = wide ? shape[1] : shape[0];
  std::vector<std::vector<double>> vectors;
  for (Size i = 0; i < count; ++i) {
    std::vector<double> v(static_cast<std::size_t>(length));
    for (double& x : v) x = rng.normal();
    for (int pass = 0; pass < 2; ++pass) {  // the second pass removes what rounding left
      for (const auto& u : vectors) {
        double along = 0;
        for (std::size_t j = 0; j < v.size(); ++j) along += u[j] * v[j];
        for (std::size_t j = 0; j < v.size(); ++j) v[j] -= along * u[j];
      }
    }
    double square = 0;
    for (double x : v) square += x * x;
    for (double& x : v) x /= std::sqrt(square);
    vectors.push_back(std::move(v));
  }
  const Tensor t(shape, DType::f32);
  for (Size i = 0; i < count; ++i) {
    for (Size j = 0; j < length; ++j) {
      t.set(wide ? i * length + j : j * count + i,
            scale * vectors[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]);
    }
  }
  return t;
}

}  // namespace hindsight::nn::init
