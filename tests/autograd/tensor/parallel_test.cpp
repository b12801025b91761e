// Work divided over threads: which thread runs a part, exceptions, nesting.
#include <hindsight/autograd/tensor/parallel.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <stdexcept>
#include <thread>

#include "support.h"

namespace hindsight::test {
namespace {

std::vector<std::thread::id> threads_of(int parts) {
  std::vector<std::thread::id> ids(static_cast<std::size_t>(parts));
  parallel_for(parts,
               [&](int part) { ids[static_cast<std::size_t>(part)] = std::this_thread::get_id(); });
  return ids;
}

TEST_CASE("part 0 runs on the caller's thread, the others always on the same ones") {
  const std::vector<std::thread::id> ids = threads_of(4);
  CHECK(ids[0] == std::this_thread::get_id());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) CHECK(ids[i] != ids[j]);
  }
  for (int repeat = 0; repeat < 20; ++repeat) {
    CHECK(threads_of(4) == ids);
    CHECK(threads_of(2) == std::vector<std::thread::id>(ids.begin(), ids.begin() + 2));
    if (repeat == 10) std::this_thread::sleep_for(std::chrono::milliseconds(5));  // they sleep, too
  }
}

TEST_CASE("each thread has workers of its own") {
  bool right[2] = {true, true};
  const auto work = [&](int i) {
    std::vector<int> counts(3, 0);
    for (int repeat = 0; repeat < 200; ++repeat)
      parallel_for(3, [&](int part) { ++counts[static_cast<std::size_t>(part)]; });
    right[i] = counts == std::vector<int>{200, 200, 200};
  };
  std::thread a(work, 0), b(work, 1);
  a.join();
  b.join();
  CHECK(right[0]);
  CHECK(right[1]);
}

TEST_CASE("within a part, parts run in order on its thread") {
  std::vector<int> order[2];
  bool same_thread[2] = {true, true};
  parallel_for(2, [&](int outer) {
    const auto here = std::this_thread::get_id();
    parallel_for(3, [&](int inner) {
      order[outer].push_back(inner);
      same_thread[outer] = same_thread[outer] && std::this_thread::get_id() == here;
    });
  });
  for (int outer = 0; outer < 2; ++outer) {
    CHECK(order[outer] == std::vector<int>{0, 1, 2});
    CHECK(same_thread[outer]);
  }
}

TEST_CASE("of several exceptions that of the lowest part is thrown, after all parts have ended") {
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::atomic<int> ended{0};
    const auto failing = [&](int part) {
      if (part == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
      ++ended;
      if (part > 0) throw std::runtime_error("part " + std::to_string(part));
    };
    CHECK(message_of<std::runtime_error>([&] { parallel_for(4, failing); }) == "part 1");
    CHECK(ended == 4);
    CHECK(message_of<std::runtime_error>(
              [&] { parallel_for(2, [&](int) { parallel_for(3, failing); }); }) == "part 1");
    CHECK(ended == 10);
  }
  CHECK(threads_of(2)[0] == std::this_thread::get_id());
}

TEST_CASE("a forked process has workers of its own") {
  threads_of(3);
  const pid_t child = fork();
  if (child == 0) {
    const std::vector<std::thread::id> ids = threads_of(3);
    std::_Exit(ids[0] == std::this_thread::get_id() && ids[1] != ids[2] ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("parts that cannot be") {
  const auto nothing = [](int) {};
  for (int parts : {0, -1}) {
    CHECK(message_of<OptionError>([&] { parallel_for(parts, nothing); }) ==
          fmt::format("parallel_for: {} parts; at least 1 is needed", parts));
  }
  CHECK(default_threads() >= 1);
}

TEST_CASE("products in parts use one thread each") {
  const int before = blas::threads();
  blas::set_threads(3);
  const Tensor a = random_tensor({150, 300}, 1), b = random_tensor({300, 400}, 2);
  const auto product = [&] { return matmul(Variable(a), Variable(b)).value(); };
  blas::set_threads(1);
  const Tensor wanted = product();
  blas::set_threads(3);
  std::vector<Tensor> results(3);
  parallel_for(3, [&](int part) { results[static_cast<std::size_t>(part)] = product(); });
  blas::set_threads(before);
  for (const Tensor& result : results) CHECK(same_bits(result, wanted));
}

TEST_CASE("large scans on several threads have the bits of one") {
  const Tensor decay = random_tensor({400, 3, 333}, 1), x = random_tensor({400, 3, 333}, 2);
  const auto values = [&](int threads) {
    const int before = blas::threads();
    blas::set_threads(threads);
    const Derivatives result = derivatives(
        [](In in) { return linear_recurrence(in[0], in[1], 0) + cumsum(in[1], 2); }, {decay, x});
    blas::set_threads(before);
    return result;
  };
  const Derivatives one = values(1), three = values(3);
  CHECK(same_bits(one.value, three.value));
  for (std::size_t i = 0; i < 2; ++i) CHECK(same_bits(one.gradients[i], three.gradients[i]));
}

}  // namespace
}  // namespace hindsight::test
