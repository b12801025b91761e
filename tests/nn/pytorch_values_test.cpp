#include <hindsight/autograd/autograd.h>
#include <hindsight/nn/lstm.h>

#include "support.h"

using namespace hindsight;
using namespace hindsight::test;

namespace {

// The values that PyTorch's own C++ tests expect of a small LSTM, with their tolerance
// (github.com/pytorch/pytorch, test/cpp/api/rnn.cpp, the test that output values match PyTorch).
constexpr double kPrecision = 1e-3;
const std::vector<double> kOutputs = {
    0.4391, 0.5402, 0.4330, 0.5324, 0.4261, 0.5239, 0.4183, 0.5147, 0.6822, 0.8064, 0.6726, 0.7968,
    0.6620, 0.7860, 0.6501, 0.7741, 0.7889, 0.9003, 0.7769, 0.8905, 0.7635, 0.8794, 0.7484, 0.8666};
const std::vector<double> kHidden = {0.7889, 0.9003, 0.7769, 0.8905,
                                     0.7635, 0.8794, 0.7484, 0.8666};
const std::vector<double> kCell = {1.1647, 1.6106, 1.1425, 1.5726, 1.1187, 1.5329, 1.0931, 1.4911};

/// Element k of n is k / n.
Tensor rising(const Shape& shape, DType dtype) {
  const Tensor t(shape, dtype);
  const Size n = t.elements();
  for (Size k = 0; k < n; ++k) t.set(k, static_cast<double>(k) / static_cast<double>(n));
  return t;
}

/// Element k of n is 1 - k / n.
Tensor falling(const Shape& shape, DType dtype) {
  const Tensor t(shape, dtype);
  const Size n = t.elements();
  for (Size k = 0; k < n; ++k) t.set(k, static_cast<double>(n - k) / static_cast<double>(n));
  return t;
}

double largest_difference(const Variable& got, const std::vector<double>& wanted) {
  const std::vector<double> values = got.value().to_vector();
  REQUIRE(values.size() == wanted.size());
  double difference = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    difference = std::max(difference, std::abs(values[i] - wanted[i]));
  return difference;
}

}  // namespace

TEST_CASE("an LSTM has the outputs and states that PyTorch's own tests expect") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    Rng rng{1};
    nn::Recurrent<nn::LstmCell> lstm({.input = 2, .hidden = 2}, rng);
    lstm.to(dtype);
    for (Parameter& parameter : lstm.parameters())
      parameter.assign(rising(parameter.shape(), dtype));
    const nn::Unrolled run = lstm(falling({3, 4, 2}, dtype));
    CHECK(run.outputs.shape() == Shape{3, 4, 2});
    CHECK(largest_difference(run.outputs, kOutputs) < kPrecision);
    CHECK(largest_difference(run.final[0][0], kHidden) < kPrecision);
    CHECK(largest_difference(run.final[0][1], kCell) < kPrecision);
  }
}
