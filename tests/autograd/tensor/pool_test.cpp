// Recycled memory: size classes, counters, threads; buffers, tensors and their xtensor adaptors.
#include <hindsight/nn/nn.h>
#include <hindsight/optim/optim.h>

#include <thread>

#include "support.h"

namespace hindsight::test {
namespace {

TEST_CASE("blocks are aligned, recycled within a size class, and have spare bytes") {
  for (const std::size_t bytes : {1u, 63u, 64u, 65u, 960u, 961u, 1025u, 5000u, 100000u, 3000000u}) {
    void* block = pool::allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(block) % pool::kAlignment == 0);
    std::memset(block, 1, bytes + pool::kSpare);  // all of it is writable
    const std::int64_t system = pool::statistics().system_allocations;
    pool::release(block, bytes);
    void* again = pool::allocate(bytes);
    CHECK(again == block);
    CHECK(pool::statistics().system_allocations == system);
    pool::release(again, bytes);
  }
  // Neighbours in size share a class; at most a quarter is wasted above a kilobyte.
  for (std::size_t bytes = 2000; bytes < 100000; bytes = bytes * 5 / 4 + 7) {
    const std::int64_t before = pool::statistics().bytes_in_use;
    void* block = pool::allocate(bytes);
    const std::int64_t used = pool::statistics().bytes_in_use - before;
    CHECK(used >= static_cast<std::int64_t>(bytes + pool::kSpare));
    CHECK(used <= static_cast<std::int64_t>((bytes + pool::kSpare) * 5 / 4 + 1));
    pool::release(block, bytes);
    CHECK(pool::statistics().bytes_in_use == before);
  }
}

TEST_CASE("the peak is the most that was in use at once") {
  pool::reset_peak();
  const std::int64_t start = pool::statistics().bytes_in_use;
  CHECK(pool::statistics().peak_bytes == start);
  {
    const Tensor a({1000, 100}, DType::f32);
    { const Tensor b({1000, 100}, DType::f32); }
    { const Tensor c({1000, 100}, DType::f32); }
  }
  const std::int64_t peak = pool::statistics().peak_bytes - start;
  CHECK(peak >= 800000);
  CHECK(peak < 1100000);
  CHECK(pool::statistics().bytes_in_use == start);
  pool::reset_peak();
  CHECK(pool::statistics().peak_bytes == start);
}

TEST_CASE("an allocation that fails throws and is not counted") {
  const pool::Statistics before = pool::statistics();
  CHECK_THROWS_AS(pool::allocate(std::size_t{1} << 60), std::bad_alloc);
  CHECK_THROWS_AS(pool::allocate(~std::size_t{0}), std::bad_alloc);
#if !defined(HINDSIGHT_ADDRESS_SANITIZER)  // which ends the program instead of throwing
  CHECK_THROWS_AS(pool::allocate(std::size_t{1} << 49), std::bad_alloc);
#endif
  CHECK(pool::statistics().bytes_in_use == before.bytes_in_use);
  CHECK(pool::statistics().peak_bytes == before.peak_bytes);
  CHECK(pool::statistics().system_allocations == before.system_allocations);
}

void check_kept_blocks() {
  const Shape shape{300, 7};
  const auto system = [] { return pool::statistics().system_allocations; };
  const auto loaded = [&] {  // by a thread that makes them and ends
    std::vector<Tensor> batches;
    std::thread([&] {
      for (std::uint64_t i = 0; i < 50; ++i) batches.push_back(random_tensor(shape, i));
    }).join();
    return batches;
  };
  std::vector<Tensor> batches = loaded();
  const Tensor mine = random_tensor(shape, 7);
  CHECK(same_bits(batches[7], mine));
  pool::trim();
  batches.clear();  // one of them replaces `mine`, the others are returned to the system
  std::int64_t before = system();
  for (int i = 0; i < 50; ++i) batches.emplace_back(shape, DType::f64);
  CHECK(system() == before + 49);
  loaded().clear();  // these replace those that this thread allocated
  batches.clear();   // which are now returned to the system
  before = system();
  for (int i = 0; i < 51; ++i) batches.emplace_back(shape, DType::f64);
  CHECK(system() == before + 1);
}

TEST_CASE("a thread keeps no more blocks than it allocated, however many it releases") {
  std::thread(check_kept_blocks).join();  // a thread that has no blocks yet
}

TEST_CASE("threads that end return their blocks to the system") {
  for (int i = 0; i < 4; ++i) {
    Tensor mine = random_tensor({50, 50}, 2);
    const std::int64_t live = system_memory().live;
    std::thread([] { const Tensor recycled({300, 7}, DType::f64); }).join();
    CHECK(system_memory().live == live);
    std::thread([t = std::move(mine)]() mutable { t = Tensor(); }).join();
    CHECK(system_memory().live <= live);
  }
}

template <class Network, class Optimizer, class Options>
void check_no_allocation(const Options& options_of_optimizer, Size steps, Size batch, Size input,
                         Size hidden, bool lengths = false) {
  Rng rng(1);
  Network network({.input = input, .hidden = hidden, .layers = 2}, rng);
  nn::Linear readout({.inputs = hidden, .outputs = 5}, rng);
  std::vector<Parameter> parameters = network.parameters();
  for (const Parameter& p : readout.parameters()) parameters.push_back(p);
  Optimizer optimizer(parameters, options_of_optimizer);
  const Variable x(random_tensor({steps, batch, input}, 2, DType::f32));
  const Indices targets(std::vector<Size>(static_cast<std::size_t>(steps * batch), 3),
                        {steps, batch});
  nn::UnrollOptions options;
  for (Size row = 0; lengths && row < batch; ++row)
    options.lengths.push_back(1 + (row * 7) % steps);
  std::int64_t allocations[4];
  for (std::int64_t& count : allocations) {
    Tape tape;
    const nn::Unrolled run = network(x, options);
    const Variable loss = cross_entropy(readout(run.outputs), targets);
    tape.backward(loss);
    optimizer.step();
    count = system_memory().allocations;
  }
  INFO(steps, " ", batch, " ", input, " ", hidden);
  CHECK(allocations[1] == allocations[0]);
  CHECK(allocations[3] == allocations[1]);
}

TEST_CASE("after the first training step nothing is allocated from the system") {
  const optim::SgdOptions sgd{.learning_rate = 0.01, .clip_norm = 1},
      momentum{.momentum = 0.9, .regularizers = {{1e-4}}};
  const optim::AdamOptions adam{.clip_norm = 1}, amsgrad{.amsgrad = true};
  check_no_allocation<nn::Lstm, optim::Sgd>(sgd, 7, 3, 5, 17);
  check_no_allocation<nn::Lstm, optim::Sgd>(momentum, 40, 20, 33, 64);
  check_no_allocation<nn::Lstm, optim::Adam>(adam, 40, 20, 33, 64);
  check_no_allocation<nn::Lstm, optim::Adam>(amsgrad, 9, 6, 5, 17, true);
  check_no_allocation<nn::Rnn, optim::Sgd>(sgd, 40, 20, 33, 64);
  check_no_allocation<nn::Lstm, optim::Sgd>(sgd, 40, 20, 33, 64, true);
  check_no_allocation<nn::Rnn, optim::AdamW>(optim::AdamWOptions{}, 7, 3, 5, 17);
}

TEST_CASE("buffers are shared by copies and count their owners") {
  Buffer a(100);
  CHECK(a.unique());
  CHECK(a.bytes() == 100);
  Buffer b = a;
  CHECK(a == b);
  CHECK(!a.unique());
  Buffer c = std::move(b);
  CHECK(!b);
  CHECK(!a.unique());
  c.reset();
  CHECK(a.unique());
  const Buffer& same = a;
  a = same;
  CHECK(a);
  CHECK(!Buffer());
}

TEST_CASE("tensors") {
  const Tensor t = Tensor::from({1, 2, 3, 4, 5, 6}, {2, 3}, DType::f64);
  CHECK(t.shape() == Shape{2, 3});
  CHECK(t.rank() == 2);
  CHECK(t.elements() == 6);
  CHECK(t.at(4) == 5);
  const Tensor flipped = t.view(t.layout().permute({1, 0}));
  CHECK(!flipped.contiguous());
  CHECK(flipped.to_vector() == std::vector<double>{1, 4, 2, 5, 3, 6});
  flipped.set(1, 40);
  CHECK(t.at(3) == 40);  // a view of the same memory
  const Tensor dense = flipped.contiguous_copy();
  CHECK(dense.contiguous());
  CHECK(!(dense.buffer() == t.buffer()));
  CHECK(t.to(DType::f64).buffer() == t.buffer());
  CHECK(t.to(DType::f32).dtype() == DType::f32);
  CHECK(flipped.to(DType::f32).to_vector() == dense.to_vector());
  t.view(t.layout().slice(1, 1, 1)).fill(9);
  CHECK(t.to_vector() == std::vector<double>{1, 9, 3, 40, 9, 6});
  CHECK(Tensor::full({}, 2.5).item() == 2.5);
  CHECK(!Tensor());
  CHECK(Tensor::zeros({0, 3}).to_vector().empty());
  // copy() broadcasts, converts, strides and adds.
  const Tensor to = Tensor::full({2, 3}, 1, DType::f32);
  copy(Tensor::from({1, 2, 3}, {3}, DType::f64), to);
  copy(Tensor::from({10, 20}, {2, 1}, DType::f64), to, true);
  CHECK(to.to_vector() == std::vector<double>{11, 12, 13, 21, 22, 23});
  copy(to.view(to.layout().select(0, 0)), to.view(to.layout().select(0, 1)));
  CHECK(to.to_vector() == std::vector<double>{11, 12, 13, 11, 12, 13});
  CHECK(all_finite(to));
  to.set(4, INFINITY);
  CHECK(!all_finite(to));
  CHECK(all_finite(to.view(to.layout().slice(1, 0, 1))));
}

TEST_CASE("xtensor") {
  const xt::xarray<double> a{{1., 2., 3.}, {4., 5., 6.}};
  const Tensor t = a * 2.0 + 1.0;  // any expression
  CHECK(t.dtype() == DType::f64);
  CHECK(t.shape() == Shape{2, 3});
  CHECK(t.to_vector() == std::vector<double>{3, 5, 7, 9, 11, 13});
  const xt::xarray<float> f = xt::ones<float>({4});
  CHECK(Tensor(f).dtype() == DType::f32);
  auto view = t.array<double>();
  view(1, 0) = 90;
  CHECK(t.at(3) == 90);
  const Tensor column = t.view(t.layout().slice(1, 1, 1));
  auto strided = column.array<double>();
  strided = strided + 100;
  CHECK(t.to_vector() == std::vector<double>{3, 105, 7, 90, 111, 13});
  const Tensor flipped = t.view(t.layout().permute({1, 0}));
  CHECK(flipped.array<double>()(2, 1) == 13);
  const xt::xarray<double> copied = flipped.array<double>();
  CHECK(copied(1, 1) == 111);
  CHECK(Tensor(copied).to_vector() == flipped.to_vector());
  CHECK(Tensor::full({}, 3, DType::f64).array<double>()() == 3);
  CHECK(message_of<DTypeError>([&] { t.array<float>(); }) ==
        "Tensor::array: float32 asked of a float64 tensor");
  // To a differentiable computation and back.
  Tape tape;
  const Variable x = tape.watch(a), y = sum(square(x));
  CHECK(tape.gradient(y, {x})[0].value().array<double>()(1, 2) == 12);
}

}  // namespace
}  // namespace hindsight::test
