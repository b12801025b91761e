// Gradients of a batch that is divided over threads: errors, and what a part gets.
#include <chrono>
#include <stdexcept>
#include <thread>

#include "nn/parallel_network.h"

namespace hindsight::test {
namespace {

TEST_CASE("a part that throws ends nothing else, and leaves no gradient") {
  Network network(0.4), fresh(0.4);
  Parameter rare("rare", random_tensor({}, 1));  // used by one part only
  const auto loss = loss_of(network, kInputs);
  const int threads = 3;
  nn::parallel_gradient(B, loss, {.threads = threads});
  nn::parallel_gradient(B, loss_of(fresh, kInputs), {.threads = threads});
  std::vector<int> ended(threads, 0);
  const auto failing = [&](std::vector<int> throwing, bool late) {
    const auto part = [&](const nn::Rows& rows) {
      Variable result = loss(rows);
      if (rows.part == 2) result = result + rare;
      if (rows.part == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (std::count(throwing.begin(), throwing.end(), rows.part) > 0) {
        const auto raise = [k = rows.part](const Variable&) {
          throw std::runtime_error(fmt::format("part {}", k));
        };
        if (!late) raise(result);
        result = hook_gradient(result, raise);
      }
      ++ended[static_cast<std::size_t>(rows.part)];
      return result;
    };
    return message_of<std::runtime_error>(
        [&] { nn::parallel_gradient(B, part, {.threads = threads}); });
  };
  int ends = 0;
  for (bool late : {false, true}) {
    for (const std::vector<int>& throwing :
         std::vector<std::vector<int>>{{0}, {1}, {2}, {1, 2}, {0, 2}, {0, 1, 2}}) {
      {
        Tape tape;
        tape.backward(2 * rare);
      }
      CHECK(failing(throwing, late) == fmt::format("part {}", throwing[0]));
      for (const Parameter& p : network.parameters()) CHECK(!p.has_gradient());
      CHECK(!rare.has_gradient());
      ++ends;
    }
  }
  CHECK(ended[0] == ends - 3);
  CHECK(ended[1] == ends - 3);
  CHECK(ended[2] == ends - 4);
  // Afterwards everything works, with the masks that the failed calls would have drawn.
  clear(fresh);
  CHECK(nn::parallel_gradient(B, loss, {.threads = threads}) ==
        nn::parallel_gradient(B, loss_of(fresh, kInputs), {.threads = threads}));
  check_same(gradients_of(network), gradients_of(fresh));
}

TEST_CASE("what is not a loss") {
  Network network(0);
  const auto thrown = [&](auto&& f) {
    return message_of<TapeError>([&] { nn::parallel_gradient(B, f, {.threads = 2}); });
  };
  CHECK(thrown([&](const nn::Rows& rows) {
          return network(rows.of(kInputs, 1));
        }).rfind("backward: the loss has shape", 0) == 0);
  CHECK(thrown([&](const nn::Rows&) {
          return Variable(Tensor::full({}, 1));
        }).rfind("backward: the output is not recorded", 0) == 0);
  CHECK(message_of<Error>([&] {
          nn::parallel_gradient(B, [&](const nn::Rows&) { return Variable(); });
        }) == "parallel_gradient: input 0 is an empty Variable");
}

TEST_CASE("batches and threads that cannot be") {
  const auto thrown = [](Size batch, int threads) {
    return message_of<OptionError>([&] {
      nn::parallel_gradient(batch, [](const nn::Rows&) { return Variable(); },
                            {.threads = threads});
    });
  };
  CHECK(thrown(0, 2) == "parallel_gradient: a batch of 0 rows; at least 1 is needed");
  CHECK(thrown(-3, 2) == "parallel_gradient: a batch of -3 rows; at least 1 is needed");
  CHECK(thrown(2, -1) ==
        "parallel_gradient: -1 threads; a number of threads, or 0 for the default, is needed");
  CHECK(nn::parts_of(2, {.threads = 5}) == 2);
  CHECK(nn::parts_of(1) == 1);
  CHECK(nn::parts_of(2 * nn::kRowsPerPart - 1) == 1);
  CHECK(nn::parts_of(1 << 20) == default_threads());
}

TEST_CASE("where it cannot be called") {
  Network network(0);
  const auto nested = [&](const nn::Rows& rows) {
    nn::parallel_gradient(B, loss_of(network, kInputs));
    return Variable(sum(Variable(rows.of(kInputs, 1))));
  };
  for (int threads : {1, 2}) {
    CHECK(message_of<TapeError>([&] { nn::parallel_gradient(B, nested, {.threads = threads}); }) ==
          "parallel_gradient: it cannot be called within a part of another");
  }
  CHECK(message_of<TapeError>([&] {
          Tape tape;
          checkpoint(
              [&](In x) {
                nn::parallel_gradient(B, loss_of(network, kInputs));
                return x[0];
              },
              {tape.watch(Tensor::full({}, 1))});
        }) == "parallel_gradient: it cannot be called within a checkpoint");
}

TEST_CASE("the rows of a part") {
  const nn::Rows some{2, 3, B, 1}, all{0, B, B, 0};
  const Tensor x = random_tensor({2, B, 3}, 1);
  const Tensor part = some.of(x, -2);
  CHECK(same_bits(part, x.view(x.layout().slice(1, 2, 3))));
  CHECK(part.contiguous());
  CHECK(all.of(x, 1).buffer() == x.buffer());
  const Indices targets = some.of(kTargets, 1), first = some.of(kTargets.row(1), 0);
  CHECK(targets.shape() == Shape{T, 3});
  for (Size t = 0; t < T; ++t) {
    for (Size k = 0; k < 3; ++k) CHECK(targets[t * 3 + k] == kTargets[t * B + 2 + k]);
  }
  for (Size k = 0; k < 3; ++k) CHECK(first[k] == kTargets[B + 2 + k]);
  CHECK(all.of(kTargets, 1).data() == kTargets.data());
  CHECK(some.share() == doctest::Approx(3.0 / 7));
  CHECK(message_of<ShapeError>([&] { some.of(x, 0); }) ==
        "Rows::of: (2, 7, 3) has 2 rows along axis 0; the batch has 7");
  CHECK(message_of<IndexError>([&] { some.of(kTargets, 2); }) ==
        "Rows::of: axis 2 is out of range for 2 axes");
  CHECK(message_of<Error>([&] { some.of(Tensor(), 0); }) == "Rows::of: the Tensor is empty");
}

}  // namespace
}  // namespace hindsight::test
