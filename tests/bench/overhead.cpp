#include <fmt/format.h>
#include <hindsight/autograd/autograd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <new>

#include "contestants.h"

/// The overhead of the tape: the time of a small operation, the allocations of a training step.

namespace {

std::atomic<std::int64_t> allocations{0};

void* counted(std::size_t bytes, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  void* block = alignment > alignof(std::max_align_t)
                    ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                    : std::malloc(bytes == 0 ? 1 : bytes);
  if (!block) throw std::bad_alloc();
  return block;
}

}  // namespace

// Counts every new of the program, including the library's pool.
void* operator new(std::size_t bytes) { return counted(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

namespace {

using namespace hindsight;

constexpr int kOperations = 1000;  // on one tape
constexpr int kRounds = 300;

/// Best time per operation of a chain of tanh(x) on 16 floats, recorded and swept, in ns.
double fused_op_ns() {
  const Tensor start = Tensor::full({16}, 0.5);
  double best = 1e30;
  for (int round = 0; round < kRounds; ++round) {
    const auto begin = std::chrono::steady_clock::now();
    Tape tape;
    Variable x = tape.watch(start);
    for (int i = 0; i < kOperations; ++i) x = tanh(x);
    tape.backward(slice(x, 0, 0, 1));
    const std::chrono::duration<double, std::nano> taken = std::chrono::steady_clock::now() - begin;
    best = std::min(best, taken.count() / kOperations);
  }
  return best;
}

/// The allocations of each of the first few steps, by new and by the pool.
void print_allocations(const std::string& what, const bench::Contestant& contestant) {
  for (int i = 1; i <= 4; ++i) {
    const std::int64_t before = allocations.load(),
                       pool_before = pool::statistics().system_allocations;
    contestant.step();
    fmt::print("{} {}: {} system allocations, {} of them by the pool\n", what, i,
               allocations.load() - before, pool::statistics().system_allocations - pool_before);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "What the tape costs: one fused operation on 16 floats, and system allocations per training "
      "step");
  app.footer("\nexample:\n  overhead\n");
  CLI11_PARSE(app, argc, argv);
  blas::set_threads(1);
  fmt::print("fused operation on 16 floats, recorded and swept: {:.0f} ns\n", fused_op_ns());
  for (const std::string model : {"lstm", "rnn", "gru"}) {
    const bench::Problem problem = bench::make_problem(model, {100, 32, 64, 128}, 1);
    print_allocations(model + " step", *bench::library_step(problem));
    print_allocations(model + " decoding of 100 steps", *bench::library_decoding(problem));
  }
}
