#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/dropout.h>

namespace hindsight {

Tensor dropout_mask(const Shape& shape, DType dtype, double rate, Rng& rng) {
  if (!(rate >= 0 && rate < 1)) fail<OptionError>("dropout: rate {} is outside of [0, 1)", rate);
  const Tensor mask(shape, dtype);
  dispatch(dtype, [&](auto zero) {
    using T = decltype(zero);
    const T kept = static_cast<T>(1 / (1 - rate));
    T* values = mask.data<T>();
    const Size count = mask.elements();
    for (Size i = 0; i < count; ++i) values[i] = rng.uniform() < rate ? T(0) : kept;
  });
  return mask;
}

Variable dropout(const Variable& x, double rate, Rng& rng) {
  check_given("dropout", x);
  if (rate == 0) return x;
  return x * Variable(dropout_mask(x.shape(), x.dtype(), rate, rng));
}

}  // namespace hindsight
