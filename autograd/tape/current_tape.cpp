#include <hindsight/autograd/tape/tape.h>

#include <mutex>

namespace hindsight {
namespace {

// Guards the lists of all threads: a tape may be destroyed on another thread than it was made on.
std::mutex lists;

}  // namespace

/// The active Tape::Currents of one thread, newest first.
class ThreadTapes {
 public:
  static ThreadTapes& here() {
    thread_local ThreadTapes tapes;
    return tapes;
  }
  ThreadTapes() : current_(Tape::of_thread_) {}
  ~ThreadTapes() {
    const std::lock_guard<std::mutex> lock(lists);
    for (Tape::Current* entry = newest_; entry; entry = entry->older_) entry->thread_ = nullptr;
    change(nullptr);
  }

  void add(Tape::Current* entry) {
    const std::lock_guard<std::mutex> lock(lists);
    entry->older_ = newest_;
    if (newest_) newest_->newer_ = entry;
    change(entry);
  }
  static void remove(Tape::Current* entry) {
    const std::lock_guard<std::mutex> lock(lists);
    if (!entry->thread_) return;
    if (entry->older_) entry->older_->newer_ = entry->newer_;
    if (entry->newer_) {
      entry->newer_->older_ = entry->older_;
    } else {
      entry->thread_->change(entry->older_);
    }
  }

 private:
  void change(Tape::Current* newest) {
    newest_ = newest;
    current_.store(newest ? newest->tape_ : nullptr, std::memory_order_relaxed);
  }

  Tape::Current* newest_ = nullptr;
  std::atomic<Tape*>& current_;
};

Tape::Current::Current(Tape* tape) : tape_(tape), thread_(&ThreadTapes::here()) {
  thread_->add(this);
}

Tape::Current::~Current() { ThreadTapes::remove(this); }

}  // namespace hindsight
