#include <hindsight/autograd/tensor/blas.h>
#include <hindsight/autograd/tensor/error.h>
#include <hindsight/autograd/tensor/parallel.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace hindsight {
namespace {

using Clock = std::chrono::steady_clock;

// Waking a thread that sleeps takes about this long, so it is worth looking out that long before.
constexpr std::chrono::microseconds kLookout{50};

thread_local bool within_part = false;

/// Runs a part; returns what it throws.
std::exception_ptr run(const std::function<void(int)>& f, int part) {
  const blas::OneThread products;
  const bool outer = std::exchange(within_part, true);
  std::exception_ptr error;
  try {
    f(part);
  } catch (...) {
    error = std::current_exception();
  }
  within_part = outer;
  return error;
}

/// A thread that runs one part at a time, whenever it is told to.
class Worker {
 public:
  explicit Worker(int part) : part_(part), thread_([this] { work(); }) {}
  ~Worker() {
    set(State::stopped);
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start(const std::function<void(int)>& f) {
    f_ = &f;
    set(State::running);
  }
  /// Waits for the end of the part; returns what it threw.
  std::exception_ptr finish() {
    wait_while(State::running);
    return std::exchange(error_, nullptr);
  }

 private:
  enum class State { idle, running, stopped };

  void work() {
    while (true) {
      wait_while(State::idle);
      if (state_.load(std::memory_order_acquire) == State::stopped) return;
      error_ = run(*f_, part_);
      set(State::idle);
    }
  }
  void set(State state) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      state_.store(state, std::memory_order_release);
    }
    changed_.notify_one();
  }
  void wait_while(State state) {
    const auto changed = [&] { return state_.load(std::memory_order_acquire) != state; };
    for (const auto end = Clock::now() + kLookout; Clock::now() < end; std::this_thread::yield()) {
      if (changed()) return;
    }
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, changed);
  }

  const int part_;
  const std::function<void(int)>* f_ = nullptr;
  std::exception_ptr error_;
  std::atomic<State> state_{State::idle};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::thread thread_;  // last: it uses the others
};

/// The workers of one thread: that of part k is the k-th, counted from 1. After a fork the new
/// process has none, and leaves the objects of the other process alone.
class Team {
 public:
  ~Team() { forget_others(); }

  std::vector<std::unique_ptr<Worker>>& members(int count) {
    if (process_ != getpid()) {
      forget_others();
      members_.clear();
      process_ = getpid();
    }
    while (static_cast<int>(members_.size()) < count)
      members_.push_back(std::make_unique<Worker>(static_cast<int>(members_.size()) + 1));
    return members_;
  }

 private:
  void forget_others() {
    if (process_ == getpid()) return;
    for (auto& worker : members_) (void)worker.release();  // their threads are not in this process
  }

  std::vector<std::unique_ptr<Worker>> members_;
  pid_t process_ = getpid();
};

}  // namespace

int default_threads() {
  static const int count = [] {
    if (const char* asked = std::getenv("OMP_NUM_THREADS")) return std::max(1, std::atoi(asked));
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0)
      return std::max(1, CPU_COUNT(&allowed));
    return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  }();
  return count;
}

void detail::parallel_for(int parts, const std::function<void(int)>& f) {
  if (parts < 1) fail<OptionError>("parallel_for: {} parts; at least 1 is needed", parts);
  if (parts == 1) return f(0);
  std::exception_ptr error;
  const auto note = [&](std::exception_ptr thrown) {
    if (!error) error = std::move(thrown);
  };
  if (within_part) {
    for (int part = 0; part < parts; ++part) note(run(f, part));
  } else {
    thread_local Team team;
    auto& workers = team.members(parts - 1);
    const auto count = static_cast<std::size_t>(parts - 1);
    const blas::OneThread products;
    for (std::size_t k = 0; k < count; ++k) workers[k]->start(f);
    note(run(f, 0));
    for (std::size_t k = 0; k < count; ++k) note(workers[k]->finish());
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace hindsight
