#pragma once
#include <hindsight/autograd/tensor/tensor.h>

#include <string>
#include <string_view>
#include <utility>

namespace hindsight {

/// Where in a model something was computed: names of modules and numbers of time steps, from the
/// outside in. A handle; Scopes make places.
class ScopePath {
 public:
  static constexpr Size kNoStep = -1;

  ScopePath() = default;  ///< outside of every Scope
  ScopePath(const ScopePath& other) : ScopePath(other.frame_) {}
  ScopePath(ScopePath&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  ScopePath& operator=(ScopePath other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~ScopePath() {
    if (frame_ && --frame_->references == 0) destroy(frame_);
  }

  static const ScopePath& current();  ///< of this thread

  explicit operator bool() const { return frame_ != nullptr; }
  bool operator==(const ScopePath& other) const { return frame_ == other.frame_; }
  bool operator!=(const ScopePath& other) const { return frame_ != other.frame_; }
  ScopePath outer() const {
    return frame_ ? ScopePath(frame_->outer) : ScopePath();
  }                               ///< what this lies in
  std::string_view name() const;  ///< of the module, empty where this is a time step
  Size step() const;              ///< kNoStep where this is a module
  /// First and last time step of what this is, a step or a part that works on several; kNoStep
  /// twice where it is neither.
  std::pair<Size, Size> steps() const;
  Size time_step() const;  ///< the innermost one around, kNoStep without any
  /// "encoder, layer 0, time step 3"; empty outside of every Scope.
  std::string to_string() const;
  /// The same for all time steps: "encoder, layer 0, each time step".
  std::string modules() const;

 private:
  friend class Scope;
  struct Frame {
    Frame* outer;
    Size first, last;  // time steps; a module of several has a name too
    std::uint32_t references;
    std::uint32_t name_size;  // the name follows the frame in memory

    char* name() { return reinterpret_cast<char*>(this + 1); }
  };
  explicit ScopePath(Frame* frame) : frame_(frame) {
    if (frame_) ++frame_->references;
  }
  static ScopePath make(std::string_view name, Size first, Size last);
  static void destroy(Frame* frame);

  Frame* frame_ = nullptr;
};

/// A time step, for Scope.
struct TimeStep {
  Size t;
};

/// Time steps `first` to `last` that are worked on as one, for Scope.
struct TimeSteps {
  Size first, last;
};

/// While alive, what is recorded on this thread lies in a module or a time step of that name.
/// Recurrent and the modules open theirs; a model of your own may add some. Messages, trace(),
/// to_dot() and gradient checks tell places by them.
///
///   const Scope decoder("decoder");
///   for (Size t = 0; t < steps; ++t) {
///     const Scope step(TimeStep{t});
class Scope {
 public:
  explicit Scope(std::string_view name);
  explicit Scope(TimeStep step);
  /// Of a part of a module that works on several time steps at once.
  Scope(std::string_view name, TimeSteps steps);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  ScopePath before_;
};

/// While alive, the place is another one: of an operation that is worked on later.
class ScopeGuard {
 public:
  explicit ScopeGuard(const ScopePath& place);
  ~ScopeGuard();
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  ScopePath before_;
};

}  // namespace hindsight
