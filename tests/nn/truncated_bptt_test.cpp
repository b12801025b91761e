// Truncated backpropagation through time: both forms, against full backpropagation and against runs
// put together by hand.
#include <hindsight/nn/nn.h>

#include "support.h"

namespace hindsight::test {
namespace {

using nn::Lstm;

constexpr Size kSteps = 12, kBatch = 2, kInput = 3, kHidden = 4;

Lstm make(bool batch_first = false) {
  Rng rng(3);
  Lstm lstm({.input = kInput, .hidden = kHidden, .layers = 2, .batch_first = batch_first}, rng);
  lstm.to(DType::f64);
  return lstm;
}

Variable stream() { return Variable(random_tensor({kSteps, kBatch, kInput}, 8)); }

/// The gradients of sum(w * outputs), with w that differ from step to step; clears them.
std::vector<Tensor> gradients(const Lstm& lstm, Tape* tape, const Variable& outputs, Size first) {
  const Variable w(random_tensor({kSteps, kBatch, kHidden}, 9));
  tape->backward(sum(slice(w, 0, first, outputs.size(0)) * outputs));
  std::vector<Tensor> result;
  for (Parameter p : lstm.parameters()) {
    result.push_back(p.gradient().contiguous_copy());
    p.clear_gradient();
  }
  return result;
}

TEST_CASE("with one window of all steps it is full backpropagation, bit for bit") {
  Lstm lstm = make();
  std::vector<Tensor> full, truncated;
  {
    Tape tape;
    full = gradients(lstm, &tape, lstm(stream()).outputs, 0);
  }
  nn::TruncatedBptt bptt(lstm, {.window = kSteps, .stride = kSteps});
  {
    Tape tape;
    truncated = gradients(lstm, &tape, bptt(stream()), 0);
  }
  for (std::size_t i = 0; i < full.size(); ++i) CHECK(same_bits(full[i], truncated[i]));
}

// The gradient of a chunk's loss is that of a run from the state `window - stride` steps before
// the chunk, taken as a constant.
TEST_CASE("gradients reach back over the window") {
  for (const auto& sizes : {std::pair<Size, Size>{3, 3}, {6, 3}, {5, 2}, {4, 1}}) {
    const Size window = sizes.first, stride = sizes.second;
    CAPTURE(window);
    CAPTURE(stride);
    Lstm lstm = make();
    nn::TruncatedBptt bptt(lstm, {.window = window, .stride = stride});
    for (Size begin = 0; begin < kSteps; begin += stride) {
      const Size count = std::min(stride, kSteps - begin);
      const Size from = std::max<Size>(0, begin + count - window);
      // A shorter last chunk keeps the history of a whole one.
      const Size history = std::min(begin, window - stride);
      const Size start = count < stride ? begin - history : from;
      std::vector<Tensor> got, wanted;
      {
        Tape tape;
        const Variable outputs = bptt(slice(stream(), 0, begin, count));
        CHECK(outputs.shape() == Shape{count, kBatch, kHidden});
        got = gradients(lstm, &tape, outputs, begin);
      }
      nn::States before;
      if (start > 0) {
        for (const nn::State& s : lstm(slice(stream(), 0, 0, start)).final)
          before.push_back(s.detach());
      }
      {
        Tape tape;
        const nn::Unrolled run =
            lstm(slice(stream(), 0, start, begin + count - start), {.initial = before});
        wanted = gradients(lstm, &tape, slice(run.outputs, 0, begin - start, count), begin);
      }
      for (std::size_t i = 0; i < got.size(); ++i)
        CHECK(relative_difference(got[i], wanted[i]) < 1e-12);
    }
    CHECK(relative_difference(bptt.states()[1][1].value(), lstm(stream()).final[1][1].value()) <
          1e-13);
  }
}

TEST_CASE("outputs do not depend on how a stream is cut, whatever the axes") {
  Lstm time_first = make(), batch_first = make(true);
  const Tensor whole = time_first(stream()).outputs.value();
  const Variable turned = transpose(stream(), 0, 1);
  nn::TruncatedBptt a(time_first, {.window = 7, .stride = 4}),
      b(batch_first, {.window = 7, .stride = 4});
  std::vector<Variable> by_time, by_batch;
  for (Size begin = 0; begin < kSteps; begin += 4) {
    by_time.push_back(a(slice(stream(), 0, begin, 4)));
    by_batch.push_back(b(slice(turned, 1, begin, 4)));
  }
  CHECK(relative_difference(concat(by_time, 0).value(), whole) < 1e-14);
  CHECK(relative_difference(transpose(concat(by_batch, 1), 0, 1).value(), whole) < 1e-14);
  a.reset();
  CHECK(a.states().empty());
  CHECK(same_bits(a(slice(stream(), 0, 0, 4)).value(), by_time[0].value()));
}

TEST_CASE("a stream of symbols") {
  Lstm time_first = make(), batch_first = make(true);
  const Indices symbols(std::vector<int>{0, 1, 2, 2, 1, 0, 1, 1, 0, 2}, {5, 2}),
      turned(std::vector<int>{0, 2, 1, 1, 0, 1, 2, 0, 1, 2}, {2, 5});
  const Tensor whole = time_first(symbols).outputs.value();
  nn::TruncatedBptt a(time_first, {.window = 3, .stride = 2}),
      b(batch_first, {.window = 3, .stride = 2});
  for (Size begin = 0; begin < 5; begin += 2) {
    const Size count = std::min<Size>(2, 5 - begin);
    Indices columns(Shape{2, count});
    for (Size row = 0; row < 2; ++row)
      std::copy_n(turned.row(row).data() + begin, count, columns.data() + row * count);
    const Tensor wanted = slice(Variable(whole), 0, begin, count).value();
    CHECK(relative_difference(a(symbols.rows(begin, count)).value(), wanted) < 1e-14);
    CHECK(relative_difference(transpose(b(columns), 0, 1).value(), wanted) < 1e-14);
  }
}

TEST_CASE("bad windows and chunks") {
  Lstm lstm = make();
  CHECK(message_of<OptionError>([&] { nn::TruncatedBptt(lstm, {.window = 2, .stride = 3}); }) ==
        "TruncatedBptt: window 2, stride 3; 1 <= stride <= window is needed");
  CHECK(message_of<OptionError>([&] { nn::TruncatedBptt(lstm, {.window = 2}); }) ==
        "TruncatedBptt: window 2, stride 0; 1 <= stride <= window is needed");
  Rng rng(1);
  Lstm both({.input = 2, .hidden = 3, .bidirectional = true}, rng);
  CHECK(message_of<OptionError>([&] { nn::TruncatedBptt(both, {.window = 2, .stride = 2}); }) ==
        "TruncatedBptt: a network that reads from the end needs whole sequences");
  nn::TruncatedBptt bptt(lstm, {.window = 4, .stride = 2});
  bptt(slice(stream(), 0, 0, 2));
  CHECK(message_of<Error>([&] {
          bptt(Indices(std::vector<int>{0, 1}, {1, 2}));
        }) == "TruncatedBptt: a stream of vectors is continued with symbols");
  CHECK(message_of<ShapeError>([&] { bptt(slice(stream(), 0, 0, 3)); }) ==
        "TruncatedBptt: a chunk is (3, 2, 3); 1 to 2 time steps along axis 0 are needed");
}

}  // namespace
}  // namespace hindsight::test
