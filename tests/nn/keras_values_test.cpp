// The values that the tests of Keras expect of its recurrent layers (github.com/keras-team/keras,
// keras/src/layers/rnn, commit 3422977a5e38): those published there in float32, and what the same
// definitions give in double. A number stands for all units of a row.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

namespace keras = nn::keras;
using nn::Gru;
using nn::Lstm;
using nn::Rnn;
using nn::Unrolled;

/// 0, 1, 2, ... row by row.
Tensor arange(const Shape& shape, DType dtype) {
  const Tensor t(shape, dtype);
  for (Size k = 0; k < t.elements(); ++k) t.set(k, static_cast<double>(k));
  return t;
}

/// All weights of a layer in one direction as in the tests of Keras.
keras::Weights constant_weights(const nn::Cell& cell) {
  keras::Weights weights = keras::weights(cell);
  weights.kernel.fill(0.01);
  weights.recurrent_kernel.fill(0.02);
  weights.bias.fill(0.03);
  return weights;
}

template <class Network>
void assign_constants(const Network& network, DType dtype) {
  network.to(dtype);
  for (const auto& cell : network.cells()) keras::assign(*cell, constant_weights(*cell));
}

/// An LSTM's bias as Keras starts it: 1 in the block of f.
void unit_forget_bias(const Lstm& lstm) {
  for (const auto& cell : lstm.cells()) {
    keras::Weights weights = constant_weights(*cell);
    const Size units = weights.recurrent_kernel.size(0);
    for (Size unit = 0; unit < units; ++unit) weights.bias.set(units + unit, 1);
    keras::assign(*cell, weights);
  }
}

struct Expected {
  std::vector<double> published;  // with this tolerance
  std::vector<double> exact;
  double tolerance = 1e-6;
};

/// Compares values whose last axis holds the units of a row, all of which must have its number. In
/// float32 with the published ones, in float64 with those that the definitions give.
void check_rows(const Variable& got, const Expected& expected) {
  const bool wide = got.dtype() == DType::f64;
  const std::vector<double>& wanted = wide ? expected.exact : expected.published;
  const std::vector<double> values = got.value().to_vector();
  const std::size_t units = values.size() / wanted.size();
  REQUIRE(values.size() == units * wanted.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double b = wanted[i / units];
    const double tolerance =
        wide ? 1e-10 + 1e-9 * std::abs(b) : expected.tolerance * (1 + std::abs(b));
    CHECK(std::abs(values[i] - b) <= tolerance);
  }
}

/// Rows of a batch, from which steps were deleted by a mask, and where each output comes from.
struct Masked {
  Tensor x;
  std::vector<Size> lengths;
};

Masked without_masked_steps(const Tensor& x, const std::vector<std::vector<int>>& mask) {
  const Size batch = x.size(0), steps = x.size(1), width = x.size(2);
  Masked result{Tensor::zeros(x.shape(), x.dtype()), {}};
  for (Size b = 0; b < batch; ++b) {
    Size to = 0;
    for (Size t = 0; t < steps; ++t) {
      if (mask[static_cast<std::size_t>(b)][static_cast<std::size_t>(t)] == 0) continue;
      for (Size i = 0; i < width; ++i)
        result.x.set((b * steps + to) * width + i, x.at((b * steps + t) * width + i));
      ++to;
    }
    result.lengths.push_back(to);
  }
  return result;
}

/// The outputs of Keras, where a masked step repeats the last one before it.
Variable with_masked_steps(const Tensor& outputs, const std::vector<std::vector<int>>& mask) {
  const Size batch = outputs.size(0), steps = outputs.size(1), width = outputs.size(2);
  const Tensor result = Tensor::zeros(outputs.shape(), outputs.dtype());
  for (Size b = 0; b < batch; ++b) {
    Size from = -1;
    for (Size t = 0; t < steps; ++t) {
      from += mask[static_cast<std::size_t>(b)][static_cast<std::size_t>(t)];
      for (Size i = 0; i < width && from >= 0; ++i)
        result.set((b * steps + t) * width + i, outputs.at((b * steps + from) * width + i));
    }
  }
  return result;
}

const std::vector<std::vector<int>> kGaps = {{1, 1, 0, 1}, {1, 0, 0, 1}},
                                    kEnds = {{1, 1, 1, 0}, {1, 1, 0, 0}};

template <class Network>
Variable masked_outputs(Network& network, const std::vector<std::vector<int>>& mask) {
  const Masked masked = without_masked_steps(arange({2, 4, 3}, network.dtype()), mask);
  const Unrolled run = network(Variable(masked.x), nn::UnrollOptions{{}, masked.lengths});
  return with_masked_steps(run.outputs.value(), mask);
}

constexpr DType kTypes[] = {DType::f32, DType::f64};

TEST_CASE("a simple network has the values that the tests of Keras expect") {
  for (const DType dtype : kTypes) {
    Rng rng(1);
    Rnn rnn({.input = 4, .hidden = 4, .batch_first = true}, rng);
    assign_constants(rnn, dtype);
    const Variable x = arange({2, 3, 4}, dtype);
    check_rows(rnn(x).final[0][0],
               {{0.405432, 0.73605347}, {0.405432057584, 0.736053421709}, 1e-5});
    Rnn reverse({.input = 4, .hidden = 4, .reverse = true, .batch_first = true}, rng);
    assign_constants(reverse, dtype);
    check_rows(reverse(x).final[0][0],
               {{0.11144729, 0.5528889}, {0.111447306419, 0.552888817943}, 1e-5});
    Rnn given({.input = 3, .hidden = 4, .batch_first = true}, rng);
    assign_constants(given, dtype);
    const Variable h = arange({2, 4}, dtype);
    check_rows(given(arange({2, 4, 3}, dtype), nn::States{{h}}).final[0][0],
               {{0.33621645, 0.6262637}, {0.33621647258, 0.626263750601}});
    Rnn masked({.input = 3, .hidden = 2, .batch_first = true}, rng);
    assign_constants(masked, dtype);
    check_rows(
        masked_outputs(masked, kGaps),
        {{0.0599281, 0.15122814, 0.15122814, 0.32394567, 0.3969304, 0.3969304, 0.3969304, 0.608085},
         {0.0599281035291, 0.151228180558, 0.151228180558, 0.323945668285, 0.396930432005,
          0.396930432005, 0.396930432005, 0.608085033108}});
  }
}

TEST_CASE("an LSTM has the values that the tests of Keras expect") {
  for (const DType dtype : kTypes) {
    Rng rng(1);
    Lstm lstm({.input = 4, .hidden = 3, .batch_first = true}, rng);
    assign_constants(lstm, dtype);
    const Variable x = arange({3, 6, 4}, dtype);
    check_rows(lstm(x).final[0][0], {{0.57019705, 0.8661914, 0.9459622},
                                     {0.570197026404, 0.866191464986, 0.94596216624},
                                     1e-5});
    unit_forget_bias(lstm);
    check_rows(lstm(x).final[0][0], {{0.6288687, 0.86899155, 0.9460773},
                                     {0.628868671034, 0.868991448211, 0.94607728392},
                                     1e-5});
    Lstm small({.input = 3, .hidden = 2, .batch_first = true}, rng);
    small.to(dtype);
    unit_forget_bias(small);
    const Variable h = arange({2, 2}, dtype);
    check_rows(small(arange({2, 4, 3}, dtype), nn::States{{h, h}}).final[0][0],
               {{0.20574439, 0.3558822, 0.64930826, 0.66276},
                {0.2057444064, 0.355882245997, 0.649308316344, 0.662760016994}});
    // With zero_output_for_mask, rows end as they do here.
    const Unrolled ended =
        small(arange({2, 4, 3}, dtype), nn::UnrollOptions{{}, std::vector<Size>{3, 2}});
    check_rows(ended.outputs,
               {{0.0158891, 0.05552048, 0.11755939, 0.0, 0.14185596, 0.28556206, 0.0, 0.0},
                {0.0158891090868, 0.0555204923292, 0.117559400142, 0, 0.141855999268,
                 0.285562090336, 0, 0}});
    check_rows(ended.final[0][0], {{0.11755939, 0.28556206}, {0.117559400142, 0.285562090336}});
  }
}

TEST_CASE("a GRU has the values that the tests of Keras expect") {
  for (const DType dtype : kTypes) {
    Rng rng(1);
    const Variable x = arange({3, 6, 4}, dtype);
    Gru after({.input = 4, .hidden = 3, .batch_first = true}, rng);
    assign_constants(after, dtype);
    check_rows(after(x).final[0][0], {{0.5217289, 0.6371659, 0.39384964},
                                      {0.52172886149, 0.637165945265, 0.393849638461},
                                      1e-5});
    Gru before({.input = 4, .hidden = 3, .batch_first = true}, rng,
               nn::GruOptions{.reset_after = false});
    assign_constants(before, dtype);
    check_rows(before(x).final[0][0], {{0.51447755, 0.6426879, 0.40208298},
                                       {0.514477562117, 0.642687902765, 0.402082881764},
                                       1e-5});
    Gru stateful({.input = 4, .hidden = 4, .batch_first = true}, rng);
    assign_constants(stateful, dtype);
    const Variable sequence = arange({2, 3, 4}, dtype);
    check_rows(stateful(sequence, stateful(sequence).final).final[0][0],
               {{0.29542392, 0.5885018}, {0.295423940741, 0.588501755881}});
    Gru masked({.input = 3, .hidden = 2, .batch_first = true}, rng);
    assign_constants(masked, dtype);
    check_rows(masked_outputs(masked, kGaps),
               {{0.03606692, 0.09497581, 0.09497581, 0.19393763, 0.16051409, 0.16051409, 0.16051409,
                 0.30818558},
                {0.0360669223747, 0.0949758217227, 0.0949758217227, 0.193937627838, 0.160514070378,
                 0.160514070378, 0.160514070378, 0.308185569736}});
  }
}

TEST_CASE("two directions have the values that the tests of Keras expect") {
  for (const DType dtype : kTypes) {
    Rng rng(1);
    const Variable x = arange({2, 3, 4}, dtype);
    Rnn rnn({.input = 4, .hidden = 2, .bidirectional = true, .batch_first = true}, rng);
    assign_constants(rnn, dtype);
    const Unrolled run = rnn(x);
    check_rows(stack({run.final[0][0], run.final[1][0]}, 1),
               {{0.39687276, 0.10004295, 0.7237238, 0.53391594},
                {0.39687282831, 0.100042974789, 0.723723820751, 0.533915989634}});
    Gru gru({.input = 4,
             .hidden = 2,
             .bidirectional = true,
             .merge = nn::Merge::sum,
             .batch_first = true},
            rng);
    assign_constants(gru, dtype);
    check_rows(gru(x).outputs,
               {{0.20937867, 0.34462988, 0.40290534, 0.59829646, 0.6734641, 0.6479671},
                {0.209378672256, 0.344629861389, 0.402905343719, 0.598296459638, 0.673464124742,
                 0.647967071681}});
    Lstm lstm({.input = 3, .hidden = 2, .bidirectional = true, .batch_first = true}, rng);
    lstm.to(dtype);
    unit_forget_bias(lstm);
    const nn::States final = lstm(arange({2, 4, 3}, dtype)).final;
    check_rows(stack({final[0][0], final[0][1], final[1][0], final[1][1]}),
               {{0.1990008, 0.52335435, 0.35567185, 1.0492687, 0.12659755, 0.44717982, 0.2501858,
                 0.941473},
                {0.199000796022, 0.523354378071, 0.355671870153, 1.04926884047, 0.126597591719,
                 0.447179860146, 0.250185823286, 0.941473072921}});
  }
}

/// The linear cell of the tests of Keras, with all weights 1: h' = (sum of x) + (sum of h) in every
/// unit.
struct SumCell : nn::Cell {
  Parameter kernel, recurrent_kernel;
  SumCell(Size input, Size units, Rng&)
      : kernel(parameter("kernel", nn::init::constant({input, units}, 1))),
        recurrent_kernel(parameter("recurrent_kernel", nn::init::constant({units, units}, 1))) {}
  nn::State step(const Variable& x, const nn::State& state) const override {
    return {matmul(x, kernel) + matmul(state[0], recurrent_kernel)};
  }
  nn::Widths state_sizes() const override { return {kernel.shape()[1]}; }
};

Expected whole(const std::vector<double>& numbers) { return {numbers, numbers}; }

TEST_CASE("linear cells and stacks of them have the values that the tests of Keras expect") {
  for (const DType dtype : kTypes) {
    Rng rng(1);
    const auto network = [&](Size input, bool reverse = false) {
      nn::Recurrent<SumCell> result(
          {.input = input, .hidden = 2, .reverse = reverse, .batch_first = true}, rng);
      result.to(dtype);
      return result;
    };
    auto two = network(2), three = network(3), four = network(4, true);
    check_rows(three(Tensor::full({1, 2, 3}, 1, dtype)).outputs, whole({3, 9}));
    const Variable ones = Tensor::full({2, 2}, 1, dtype);
    check_rows(two(Tensor::full({2, 3, 2}, 1, dtype), nn::States{{ones}}).final[0][0],
               whole({22, 22}));
    check_rows(four(arange({2, 3, 4}, dtype)).final[0][0], whole({202, 538}));
    const Masked masked = without_masked_steps(arange({2, 4, 3}, dtype), kEnds);
    const Unrolled run = three(Variable(masked.x), nn::UnrollOptions{{}, masked.lengths});
    check_rows(with_masked_steps(run.outputs.value(), kEnds),
               whole({3, 18, 57, 57, 39, 126, 126, 126}));

    nn::Stack stacked({.input = 4, .batch_first = true}, rng);
    stacked.add<SumCell>(3, rng).add<SumCell>(2, rng);
    stacked.to(dtype);
    const Variable x = arange({2, 3, 4}, dtype);
    const Unrolled first = stacked(x);
    check_rows(first.outputs, whole({18, 156, 786, 162, 1020, 4386}));
    check_rows(first.final[0][0], whole({158, 782}));
    check_rows(first.final[1][0], whole({786, 4386}));
    check_rows(stacked(x, first.final).final[1][0], whole({34092, 173196}));
  }
}

TEST_CASE("a dense layer on every step has the values that the tests of Keras expect") {
  for (const DType dtype : kTypes) {
    Rng rng(1);
    const nn::Linear dense({.inputs = 4, .outputs = 1, .bias = false}, rng);
    dense.to(dtype);
    keras::assign(dense, {Tensor::full({4, 1}, 0.01, DType::f64), {}, {}});
    const std::vector<double> wanted = {0.06, 0.22, 0.38, 0.54, 0.7, 0.86};
    check_rows(dense(arange({3, 2, 4}, dtype)), {wanted, wanted});
  }
}

}  // namespace
}  // namespace hindsight::test
