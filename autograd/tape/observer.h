#pragma once
#include <hindsight/autograd/tape/operation.h>

namespace hindsight {

/// Observes, while active, what this thread computes: Profile and FiniteChecks are observers. While
/// none is active, the cost is one read of a thread-local pointer for each operation.
class Observer {
 public:
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;
  /// The innermost active observer of this thread, or null; outer() is the next one outwards.
  static Observer* current() { return innermost_; }
  Observer* outer() const { return outer_; }

  /// An operation starts to compute, forward or backward; ended() matches the innermost start.
  virtual void started() {}
  virtual void ended() {}
  /// An operation, recorded or not, has computed its output. This is what the caller gets, which
  /// may be a view of the recorded output.
  virtual void computed(const char* op, const Variable& output) { (void)op, (void)output; }
  /// An operation was recorded, with its output.
  virtual void recorded(const Operation& operation) { (void)operation; }
  /// An operation has propagated the gradient of its output. `in_memory` is false if the sweep is
  /// itself recorded.
  virtual void swept(const Operation& operation, bool in_memory) {
    (void)operation, (void)in_memory;
  }
  /// A sweep has computed the deferred weight gradient of a parameter; `any` is false if nothing
  /// had been deferred.
  virtual void flushed(const ParameterUse& use, bool any) { (void)use, (void)any; }

 protected:
  Observer();
  virtual ~Observer();

 private:
  static inline thread_local Observer* innermost_ = nullptr;

  Observer* outer_;
};

/// Encloses what an operation computes, forward or backward, and notifies the observers.
class OperationScope {
 public:
  OperationScope() : innermost_(Observer::current()) {
    if (innermost_) for_each([](Observer& o) { o.started(); });
  }
  ~OperationScope() {
    if (innermost_) for_each([](Observer& o) { o.ended(); });
  }
  OperationScope(const OperationScope&) = delete;
  OperationScope& operator=(const OperationScope&) = delete;

  bool observed() const { return innermost_ != nullptr; }
  void computed(const char* op, const Variable& output) const {
    if (innermost_) for_each([&](Observer& o) { o.computed(op, output); });
  }
  void swept(const Operation& operation, bool in_memory) const {
    if (innermost_) for_each([&](Observer& o) { o.swept(operation, in_memory); });
  }
  void flushed(const ParameterUse& use, bool any) const {
    if (innermost_) for_each([&](Observer& o) { o.flushed(use, any); });
  }

 private:
  template <class F>
  void for_each(F&& f) const {
    for (Observer* o = innermost_; o; o = o->outer()) f(*o);
  }

  Observer* innermost_;
};

}  // namespace hindsight
