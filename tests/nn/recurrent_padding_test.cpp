// Batches of sequences of several lengths: what padding must not change.
#include <hindsight/nn/nn.h>

#include "nn/recurrent_support.h"
#include "support.h"

namespace hindsight::test {
namespace {

using nn::Lstm;
using nn::Rnn;
using nn::Unrolled;
using nn::UnrollOptions;

TEST_CASE("a padded row has the results of the row alone, whatever the padding holds") {
  constexpr Size kSteps = 5, kBatch = 3;
  const std::vector<Size> lengths{5, 2, 3};
  Rng rng(13);
  Lstm lstm({.input = 3, .hidden = 6, .layers = 2, .bidirectional = true}, rng);
  lstm.to(DType::f64);
  const Tensor clean = random_tensor({kSteps, kBatch, 3}, 5);
  const auto padded_with = [&](double filling) {
    const Tensor x = clean.contiguous_copy();
    for (Size t = 0; t < kSteps; ++t) {
      for (Size row = 0; row < kBatch; ++row) {
        for (Size j = 0; j < 3 && t >= lengths[static_cast<std::size_t>(row)]; ++j)
          x.set((t * kBatch + row) * 3 + j, filling);
      }
    }
    return x;
  };
  const Function f = [&](In x) { return everything(lstm(x[0], UnrollOptions{{}, lengths})); };
  const Derivatives wanted = derivatives(f, {padded_with(0)}, lstm.parameters());
  for (const double filling :
       {-3.0, 1e30, static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
    INFO("padding of ", filling);
    const Derivatives got = derivatives(f, {padded_with(filling)}, lstm.parameters());
    CHECK(same_bits(got.value, wanted.value));
    for (std::size_t i = 0; i < got.gradients.size(); ++i)
      CHECK(relative_difference(got.gradients[i], wanted.gradients[i]) == 0);
  }
  for (Size t = 0; t < kSteps; ++t) {  // no gradient reaches the padding
    for (Size row = 0; row < kBatch; ++row) {
      const bool inside = t < lengths[static_cast<std::size_t>(row)];
      CHECK((wanted.gradients[0].at((t * kBatch + row) * 3) != 0) == inside);
    }
  }
  // Each row alone, without lengths; the gradients of the parameters add up over the rows.
  std::vector<Tensor> sums;
  for (const Parameter& p : lstm.parameters()) sums.push_back(Tensor::zeros(p.shape(), DType::f64));
  const auto loss = [](const Unrolled& run) {
    Variable total = sum(square(run.outputs));
    for (const nn::State& s : run.final) total = total + sum(s[0] * s[1]);
    return total;
  };
  const Unrolled all = lstm(Variable(clean), UnrollOptions{{}, lengths});
  for (Size row = 0; row < kBatch; ++row) {
    const Size length = lengths[static_cast<std::size_t>(row)];
    const Variable x = slice(slice(Variable(clean), 1, row, 1), 0, 0, length);
    Tape tape;
    const Unrolled alone = lstm(x);
    CHECK(relative_difference(slice(slice(all.outputs, 1, row, 1), 0, 0, length).value(),
                              alone.outputs.value()) < 1e-14);
    for (std::size_t i = 0; i < all.final.size(); ++i) {
      for (int k = 0; k < 2; ++k)
        CHECK(relative_difference(slice(all.final[i][k], 0, row, 1).value(),
                                  alone.final[i][k].value()) < 1e-14);
    }
    std::vector<Variable> wanted_of;
    for (const Parameter& p : lstm.parameters()) wanted_of.emplace_back(p);
    const std::vector<Variable> g = tape.gradient(loss(alone), wanted_of);
    for (std::size_t i = 0; i < g.size(); ++i) copy(g[i].value(), sums[i], true);
  }
  Tape tape;
  std::vector<Variable> parameters;
  for (const Parameter& p : lstm.parameters()) parameters.emplace_back(p);
  const std::vector<Variable> g =
      tape.gradient(loss(lstm(Variable(clean), UnrollOptions{{}, lengths})), parameters);
  for (std::size_t i = 0; i < g.size(); ++i)
    CHECK(relative_difference(g[i].value(), sums[i]) < 1e-12);
}

TEST_CASE("an active row is exact beside a finished one, however large the states") {
  Rng rng(13);
  Rnn rnn({.input = 1, .hidden = 1}, rng, nn::RnnOptions{nn::Nonlinearity::relu, false});
  const nn::RnnCell& cell = rnn.cell(0);
  Parameter(cell.weight_ih).assign(Tensor::full({1, 1}, 1));
  const auto run = [&](double recurrent, const std::vector<double>& x) {
    Parameter(cell.weight_hh).assign(Tensor::full({1, 1}, recurrent));
    return rnn(Variable(Tensor::from(x, {2, 2, 1})), UnrollOptions{{}, {2, 1}});
  };
  // Row 0 goes from 1e8 to 1, where 1e8 + (1 - 1e8) is 0 in float32.
  CHECK(run(0, {1e8, 3, 1, 0}).final[0][0].value().to_vector() == std::vector<double>{1, 3});
  // Row 1 is finished at 1e10; one more step would overflow.
  Tape tape;
  const Unrolled over = run(1e30, {0, 1e10, 1, 0});
  CHECK(over.final[0][0].value().to_vector() == std::vector<double>{1, 1e10});
  CHECK(over.outputs.value().to_vector() == std::vector<double>{0, 1e10, 1, 0});
  tape.backward(sum(over.outputs) + sum(over.final[0][0]));
  CHECK(cell.weight_ih.gradient().item() == doctest::Approx(2e10 + 2));
}

}  // namespace
}  // namespace hindsight::test
