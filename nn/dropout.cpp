#include <hindsight/autograd/tensor/error.h>
#include <hindsight/nn/dropout.h>
#include <hindsight/nn/mode.h>
#include <hindsight/nn/row_dropout.h>

namespace hindsight::nn {

Dropout::Dropout(double dropout_rate, Rng& rng) : rate(dropout_rate), rng_(rng.bits()) {
  if (!(rate >= 0 && rate < 1)) fail<OptionError>("Dropout: rate {} is outside of [0, 1)", rate);
}

Variable Dropout::operator()(const Variable& x, int row_axis) {
  return training() ? dropout_by_row(x, row_axis, rate, rng_) : x;
}

}  // namespace hindsight::nn
