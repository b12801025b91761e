// Dropout whose masks do not depend on how a batch is divided.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

Tensor mask(const Shape& shape, int row_axis, Rng& rng, double rate = 0.5,
            DType dtype = DType::f64) {
  return nn::dropout_by_row(Variable(Tensor::full(shape, 1, dtype)), row_axis, rate, rng).value();
}

TEST_CASE("a share of the elements is dropped, the others are scaled") {
  for (DType dtype : {DType::f32, DType::f64}) {
    for (double rate : {0.1, 0.5, 0.75}) {
      Rng rng(1);
      const Tensor values = mask({40, 50, 51}, 1, rng, rate, dtype);
      const auto n = static_cast<double>(values.elements());
      double dropped = 0;
      for (Size i = 0; i < values.elements(); ++i) {
        const double value = values.at(i);
        dropped += value == 0;
        if (value != 0) CHECK(value == doctest::Approx(1 / (1 - rate)).epsilon(1e-7));
      }
      CHECK(std::abs(dropped / n - rate) < 5 * std::sqrt(rate * (1 - rate) / n));
    }
  }
}

/// The correlation of the masks of neighbours: rows, time steps and elements.
TEST_CASE("neighbours are dropped independently of each other") {
  Rng rng(2);
  const Size steps = 30, rows = 40, width = 50;
  const Tensor values = mask({steps, rows, width}, 1, rng),
               next = mask({steps, rows, width}, 1, rng);
  const Size n = values.elements();
  const auto agreement = [&](const Tensor& other, Size distance) {
    double same = 0;
    for (Size i = 0; i + distance < n; ++i) same += values.at(i) == other.at(i + distance);
    return std::abs(same / static_cast<double>(n - distance) - 0.5);
  };
  const double limit = 5 * 0.5 / std::sqrt(static_cast<double>(n));
  for (Size distance : {Size{1}, width / 2, width, rows * width})
    CHECK(agreement(values, distance) < limit);
  CHECK(agreement(next, 0) < limit);
}

TEST_CASE("a row's mask depends on its place in the batch only") {
  for (int axis : {0, 1, 2}) {
    const Shape all{6, 6, 6};
    Rng rng(7);
    const Tensor whole = mask(all, axis, rng);
    for (Size first : {0, 1, 4}) {
      const Size count = 6 - first;
      Shape part = all;
      part.set(axis, count);
      Rng own(7);
      nn::RowsFrom rows(first);
      const Tensor got = mask(part, axis, own);
      CHECK(same_bits(got, whole.view(whole.layout().slice(axis, first, count))));
      Rng untouched(7);
      CHECK(Rng(own).bits() == untouched.bits());  // drawn from a copy ...
      rows.advance_generators();
      Rng other(rng);
      CHECK(own.bits() == other.bits());  // ... which it then follows
    }
  }
  Rng first(3), second(3);
  const Tensor longer = mask({9, 4, 5}, 1, first), shorter = mask({6, 4, 5}, 1, second);
  CHECK(same_bits(shorter, longer.view(longer.layout().slice(0, 0, 6))));
}

TEST_CASE("dropout of values of any rank") {
  Rng rng(1);
  nn::Dropout dropout(0.5, rng);
  for (const Shape& shape :
       {Shape{}, Shape{5}, Shape{2, 3}, Shape{2, 3, 4}, Shape{0, 3}, Shape{3, 0}})
    CHECK(dropout(Variable(Tensor::full(shape, 1))).shape() == shape);
  const Variable x(Tensor::full({3, 2, 2}, 1));
  CHECK(dropout(x, 0).shape() == x.shape());
  CHECK(message_of<IndexError>([&] { dropout(x, 3); }) ==
        "dropout: axis 3 is out of range for 3 axes");
  CHECK(message_of<OptionError>([&] { nn::dropout_by_row(x, 0, 1, rng); }) ==
        "dropout: rate 1 is outside of [0, 1)");
  CHECK(message_of<Error>([&] { nn::dropout_by_row(Variable(), 0, 0.5, rng); }) ==
        "dropout: input 0 is an empty Variable");
  CHECK(nn::dropout_by_row(x, 0, 0, rng).node() == x.node());
}

TEST_CASE("the gradient is masked like the value") {
  Rng rng(1);
  check_both_orders(
      [&](In x) {
        Rng same(5);
        return nn::dropout_by_row(tanh(x[0]), 1, 0.4, same);
      },
      {random_tensor({3, 4, 5}, 1)});
}

}  // namespace
}  // namespace hindsight::test
