// Gradients of a batch that is divided over threads: bits, sums, memory.
#include <hindsight/optim/optim.h>

#include <thread>

#include "nn/parallel_network.h"

namespace hindsight::test {
namespace {

struct Result {
  double loss;
  std::vector<Tensor> gradients;
};

/// The last of three steps, so that generators have been advanced.
Result divided(double rate, int threads, DType dtype = DType::f64, Size checkpoint_every = 0) {
  Network network(rate, dtype);
  Result result{};
  for (int step = 0; step < 3; ++step) {
    clear(network);
    result.loss = nn::parallel_gradient(B, loss_of(network, kInputs.to(dtype), checkpoint_every),
                                        {.threads = threads});
  }
  result.gradients = gradients_of(network);
  return result;
}

/// The same by Tape::backward().
Result whole(double rate) {
  Network network(rate);
  Result result{};
  for (int step = 0; step < 3; ++step) {
    clear(network);
    Tape tape;
    const Variable loss = cross_entropy(network(kInputs), kTargets);
    result.loss = loss.item();
    tape.backward(loss);
  }
  result.gradients = gradients_of(network);
  return result;
}

TEST_CASE("the same bits in every run with the same number of threads") {
  for (DType dtype : {DType::f32, DType::f64}) {
    for (int threads : {1, 2, 3}) {
      const Result first = divided(0.4, threads, dtype);
      for (int repeat = 0; repeat < 5; ++repeat) {
        const Result again = divided(0.4, threads, dtype);
        CHECK(again.loss == first.loss);
        check_same(again.gradients, first.gradients);
      }
    }
  }
}

TEST_CASE("every number of threads computes what backward() does, with the same masks") {
  for (double rate : {0.0, 0.4}) {
    const Result wanted = whole(rate);
    for (int threads : {1, 2, 3, 7, 20}) {
      INFO("dropout ", rate, ", threads ", threads);
      const Result got = divided(rate, threads);
      CHECK(got.loss == doctest::Approx(wanted.loss).epsilon(1e-13));
      check_same(got.gradients, wanted.gradients, 1e-12);
    }
  }
}

TEST_CASE("checkpoints within parts") {
  const Result wanted = whole(0.4);
  for (int threads : {1, 2, 3}) {
    const Result got = divided(0.4, threads, DType::f64, 2);
    CHECK(got.loss == doctest::Approx(wanted.loss).epsilon(1e-13));
    check_same(got.gradients, wanted.gradients, 1e-12);
  }
}

/// Dropout of the state in each step.
struct DroppingCell : nn::Cell {
  DroppingCell(Size input, Size hidden, Rng& rng, nn::Dropout* state_dropout)
      : w(parameter("w", nn::init::uniform({input, hidden}, 0.5, rng))),
        u(parameter("u", nn::init::uniform({hidden, hidden}, 0.5, rng))),
        dropout(state_dropout) {}
  Variable project(const Variable& x) const override { return matmul(x, w); }
  nn::State step(const Variable& px, const nn::State& s) const override {
    return {tanh(px + matmul((*dropout)(s[0]), u))};
  }
  nn::Widths state_sizes() const override { return {u.shape()[0]}; }

  Parameter w, u;
  nn::Dropout* dropout;
};

TEST_CASE("dropout within checkpoints within parts repeats its masks") {
  const auto gradients = [](int threads, Size checkpoint_every) {
    Rng rng(1);
    nn::Dropout dropout(0.3, rng);
    nn::Recurrent<DroppingCell> network({.input = I, .hidden = H, .layers = 2, .dropout = 0.2}, rng,
                                        &dropout);
    network.to(DType::f64);
    nn::UnrollOptions options;
    options.checkpoint_every = checkpoint_every;
    for (int step = 0; step < 2; ++step) {
      nn::parallel_gradient(B,
                            [&](const nn::Rows& rows) {
                              const Variable x(rows.of(kInputs, 1));
                              return Variable(sum(square(network(x, options).outputs)));
                            },
                            {.threads = threads});
    }
    return gradients_of(network);
  };
  const std::vector<Tensor> wanted = gradients(1, 0);
  for (int threads : {1, 2, 3}) {
    for (Size checkpoint_every : {0, 2, 5})
      check_same(gradients(threads, checkpoint_every), wanted, 1e-12);
  }
}

TEST_CASE("a model of one's own, with results for each part") {
  Parameter w("w", random_tensor({I, H}, 1)), v("v", random_tensor({H}, 2)),
      last("last", random_tensor({}, 3));
  const Tensor x = random_tensor({B, I}, 4);
  const auto loss = [&](const Tensor& part) {
    return Variable(sum(square(tanh(matmul(Variable(part), w)) * v)));
  };
  Tape tape;
  tape.backward(loss(x));
  const Tensor dw = w.gradient().contiguous_copy(), dv = v.gradient().contiguous_copy();
  for (int threads : {1, 2, 4}) {
    w.clear_gradient();
    v.clear_gradient();
    const int parts = nn::parts_of(B, {.threads = threads});
    CHECK(parts == threads);
    std::vector<double> losses(static_cast<std::size_t>(parts));
    std::vector<Size> firsts(losses.size()), counts(losses.size());
    const double total = nn::parallel_gradient(B,
                                               [&](const nn::Rows& rows) {
                                                 const auto k = static_cast<std::size_t>(rows.part);
                                                 firsts[k] = rows.first;
                                                 counts[k] = rows.count;
                                                 CHECK(rows.batch == B);
                                                 Variable result = loss(rows.of(x, 0));
                                                 if (rows.first + rows.count == B)
                                                   result = result + last;  // used by one part only
                                                 losses[k] = result.item();
                                                 return result;
                                               },
                                               {.threads = threads});
    double added = 0;
    Size next = 0;
    for (std::size_t k = 0; k < losses.size(); ++k) {
      added += losses[k];
      CHECK(firsts[k] == next);
      CHECK(counts[k] >= B / parts);
      CHECK(counts[k] <= B / parts + 1);
      next += counts[k];
    }
    CHECK(next == B);
    CHECK(total == added);
    CHECK(relative_difference(w.gradient(), dw) < 1e-12);
    CHECK(relative_difference(v.gradient(), dv) < 1e-12);
    CHECK(last.gradient().item() == 1);
    last.clear_gradient();
  }
}

TEST_CASE("gradients are added to existing ones, in parts of any size") {
  Network network(0);
  const auto add = [&](int threads) {
    nn::parallel_gradient(B, loss_of(network, kInputs), {.threads = threads});
  };
  add(1);
  const std::vector<Tensor> once = gradients_of(network);
  add(2);
  add(3);
  const std::vector<Tensor> thrice = gradients_of(network);
  for (std::size_t i = 0; i < once.size(); ++i)
    CHECK(relative_difference(thrice[i], Variable(Variable(once[i]) * 3.0).value(), 1e-9) < 1e-12);

  // Enough elements for several threads to add; an existing gradient of one row only.
  Parameter table("table", random_tensor({300, 200}, 1));
  const auto row = [&](Size r) { return sum(slice(Variable(table), 0, r, 1)); };
  {
    Tape tape;
    tape.backward(row(7));
  }
  nn::parallel_gradient(3,
                        [&](const nn::Rows& rows) {
                          Variable loss = row(10 * rows.first);
                          if (rows.part == 2) loss = loss + sum(Variable(table)) * 0.5;
                          return loss;
                        },
                        {.threads = 3});
  const Tensor gradient = table.gradient();
  for (Size r = 0; r < 300; ++r) {
    const double wanted = (r == 7 || r == 0 || r == 10 || r == 20 ? 1 : 0) + 0.5;
    CHECK(gradient.at(r * 200 + r % 200) == wanted);
  }
}

TEST_CASE("parameters whose type was changed, and those that are gone") {
  for (DType dtype : {DType::f64, DType::f32}) {
    Network network(0.2);
    const auto run = [&] {
      nn::parallel_gradient(B, loss_of(network, kInputs.to(network.dtype())), {.threads = 3});
    };
    run();
    network.to(dtype);
    run();
    CHECK(gradients_of(network)[0].dtype() == dtype);
  }
}

TEST_CASE("evaluation applies to every part") {
  Network network(0.5);
  const auto loss = [&](int threads) {
    const nn::Evaluation mode;
    return nn::parallel_gradient(B, loss_of(network, kInputs), {.threads = threads});
  };
  const double wanted = cross_entropy(Network(0)(kInputs), kTargets).item();
  for (int threads : {1, 2, 3}) CHECK(loss(threads) == doctest::Approx(wanted).epsilon(1e-12));
  CHECK(nn::training());
}

TEST_CASE("observers see all parts, and change no bit") {
  const Result wanted = divided(0.4, 3);
  {
    const FiniteChecks checks;
    const Result got = divided(0.4, 3);
    CHECK(got.loss == wanted.loss);
    check_same(got.gradients, wanted.gradients);
    Network network(0);
    CHECK(message_of<NonFiniteError>([&] {
            nn::parallel_gradient(B,
                                  [&](const nn::Rows& rows) {
                                    const Variable y = sum(network(rows.of(kInputs, 1)));
                                    return Variable(log(y * y * (rows.part == 2 ? 0.0 : 1.0)));
                                  },
                                  {.threads = 3});
          }).rfind("log", 0) == 0);
    for (const Parameter& p : network.parameters()) CHECK(!p.has_gradient());
  }
}

TEST_CASE("two threads of the caller's divide batches of their own") {
  const Result wanted = divided(0.4, 2);
  std::vector<Tensor> gradients[2];
  const auto work = [&](int i) {
    for (int repeat = 0; repeat < 3; ++repeat) gradients[i] = divided(0.4, 2).gradients;
  };
  std::thread a(work, 0), b(work, 1);
  a.join();
  b.join();
  for (const auto& got : gradients) check_same(got, wanted.gradients);
}

TEST_CASE("after the first steps nothing is allocated") {
  Network network(0.3, DType::f32);
  optim::Adam adam(network.parameters(), {.clip_norm = 1});
  const Tensor inputs = kInputs.to(DType::f32);
  const auto loss = loss_of(network, inputs);
  std::vector<nn::States> states(3);
  std::int64_t by_pools[3] = {}, whole_program = 0;
  for (int step = 0; step < 8; ++step) {
    const bool warm = step >= 4;
    const std::int64_t before = system_memory().allocations;
    nn::parallel_gradient(
        B,
        [&](const nn::Rows& rows) {
          const auto k = static_cast<std::size_t>(rows.part);
          const std::int64_t pool = pool::statistics().system_allocations;
          if (!warm) by_pools[k] = pool;
          if (warm && by_pools[k] != pool) by_pools[k] = -1;
          nn::Unrolled unrolled = network.lstm(Variable(rows.of(inputs, 1)), states[k]);
          states[k] = std::move(unrolled.final);
          return Variable(loss(rows) + rows.share() * mean(square(unrolled.outputs)));
        },
        {.threads = 3});
    adam.step();
    if (warm) whole_program += system_memory().allocations - before;
  }
  for (std::int64_t pool : by_pools) CHECK(pool > 0);
  CHECK(whole_program == 0);
}

}  // namespace
}  // namespace hindsight::test
