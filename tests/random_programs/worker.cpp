#include "worker.h"

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <thread>

#include "generate.h"

namespace hindsight::random_programs {
namespace {

constexpr unsigned kSecondsToJudge = 60;  // a program takes milliseconds: it hangs
constexpr int kPollMilliseconds = 100;

/// A child process and the pipe it writes to.
class Child {
 public:
  explicit Child(const std::function<void(int pipe)>& run) {
    int ends[2];
    if (pipe(ends) != 0) fail("random_programs: no pipe: {}", std::strerror(errno));
    pid_ = fork();
    if (pid_ < 0) fail("random_programs: no process: {}", std::strerror(errno));
    if (pid_ == 0) {
      close(ends[0]);
      std::signal(SIGINT, SIG_IGN);  // the parent ends it
      run(ends[1]);
      std::exit(0);  // where a sanitizer looks for leaks
    }
    close(ends[1]);
    pipe_ = ends[0];
  }
  ~Child() {
    if (!waited_) end();
    close(pipe_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// Bytes that it wrote, none at the end, or nothing when there are none in time.
  std::optional<std::string> read(int milliseconds) {
    struct pollfd ready {
      pipe_, POLLIN, 0
    };
    if (poll(&ready, 1, milliseconds) <= 0) return std::nullopt;
    std::string bytes(4096, '\0');
    const ssize_t count = ::read(pipe_, bytes.data(), bytes.size());
    bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return bytes;
  }
  /// What it died of; empty where it ended well.
  std::string death() {
    int status = 0;
    waited_ = true;
    waitpid(pid_, &status, 0);
    if (WIFSIGNALED(status)) return strsignal(WTERMSIG(status));
    return WEXITSTATUS(status) == 0 ? "" : fmt::format("exit status {}", WEXITSTATUS(status));
  }
  void end() {
    kill(pid_, SIGKILL);
    death();
  }

 private:
  pid_t pid_;
  int pipe_;
  bool waited_ = false;
};

void write_all(int pipe, const std::string& text) {
  // Where the parent is gone SIGPIPE ends this process.
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = write(pipe, text.data() + done, text.size() - done);
    if (count <= 0) std::_Exit(1);
    done += static_cast<std::size_t>(count);
  }
}

using Run = std::function<std::optional<Failure>(Comparisons&)>;

/// The child writes "@" and the name of each comparison, then "!" and what is wrong.
std::optional<Failure> judge(const Program& program, const Run& run) {
  Child child([&](int pipe) {
    alarm(kSecondsToJudge);
    write_all(pipe, "@generation\n");
    if (!is_sound(program)) return;
    Comparisons comparisons(program);
    comparisons.on_begin([&](const char* name) { write_all(pipe, fmt::format("@{}\n", name)); });
    if (const auto failure = run(comparisons)) write_all(pipe, "!" + failure->text);
  });
  std::string written;
  while (true) {
    const std::optional<std::string> more = child.read(-1);
    if (!more || more->empty()) break;
    written += *more;
  }
  const std::string death = child.death();
  const std::size_t wrong = written.find('!'), begin = written.rfind('@', wrong),
                    end = written.find('\n', begin);
  const std::string name =
      begin == std::string::npos ? "" : written.substr(begin + 1, end - begin - 1);
  if (!death.empty()) return Failure{name, "it crashed: " + death};
  if (wrong == std::string::npos) return std::nullopt;
  return Failure{name, written.substr(wrong + 1)};
}

/// What a worker of run_seeds() writes about a seed.
struct Record {
  std::uint64_t seed;
  std::int32_t comparisons;
  enum State : std::int32_t { begun, right, wrong } state;
  char what[200];  ///< is wrong
};
static_assert(sizeof(Record) <= 512, "what a pipe takes at once, on any system");

void compare_seeds(std::uint64_t first, std::uint64_t last, int threads, int pipe) {
  std::atomic<std::uint64_t> next{first};
  const auto work = [&] {
    for (std::uint64_t seed; (seed = next.fetch_add(1)) <= last;) {
      const auto say = [&](Size comparisons, Record::State state, const std::string& what) {
        Record record{seed, static_cast<std::int32_t>(comparisons), state, {}};
        what.copy(record.what, sizeof(record.what) - 1);
        if (write(pipe, &record, sizeof(record)) != sizeof(record)) std::_Exit(1);
      };
      say(0, Record::begun, "");
      const Program program = generate(seed);
      Comparisons comparisons(program);
      const auto failure = comparisons.run();
      say(comparisons.count(), failure ? Record::wrong : Record::right,
          failure ? failure->to_string() : "");
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
}

}  // namespace

std::optional<Failure> judge(const Program& program) {
  return judge(program, [](Comparisons& comparisons) { return comparisons.run(); });
}

std::optional<Failure> judge_again(const Program& program, const std::string& comparison) {
  constexpr int kTimes = 10;
  return judge(program,
               [&](Comparisons& comparisons) { return comparisons.run(comparison, kTimes); });
}

Count run_seeds(std::uint64_t first, std::uint64_t last, int threads,
                const std::function<void(std::uint64_t seed, const std::string& what)>& failed,
                const std::function<bool(const Count&)>& go_on) {
  Count count;
  for (std::uint64_t next = first; next <= last;) {
    Child child([&](int pipe) { compare_seeds(next, last, threads, pipe); });
    std::set<std::uint64_t> begun;
    std::string bytes;
    const auto take = [&](const Record& record) {
      if (record.state == Record::begun) {
        begun.insert(record.seed);
        next = std::max(next, record.seed + 1);
        return;
      }
      begun.erase(record.seed);
      ++count.programs;
      count.comparisons += record.comparisons;
      if (record.state == Record::wrong) failed(record.seed, record.what);
    };
    while (true) {
      if (!go_on(count)) return count;
      const std::optional<std::string> more = child.read(kPollMilliseconds);
      if (!more) continue;
      if (more->empty()) break;
      bytes += *more;
      std::size_t used = 0;
      for (; used + sizeof(Record) <= bytes.size(); used += sizeof(Record)) {
        Record record;
        std::memcpy(&record, bytes.data() + used, sizeof(Record));
        take(record);
      }
      bytes.erase(0, used);
    }
    const std::string death = child.death();
    if (death.empty()) return count;
    if (begun.empty()) fail("random_programs: the process that compares ended: {}", death);
    // One of these crashed: each is looked at on its own.
    for (const std::uint64_t seed : begun) {
      ++count.programs;
      if (const auto failure = judge(generate(seed))) failed(seed, failure->to_string());
    }
  }
  return count;
}

}  // namespace hindsight::random_programs
