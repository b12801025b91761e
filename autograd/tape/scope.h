#pragma once
#include <hindsight/autograd/tensor/tensor.h>

#include <string>
#include <string_view>
#include <utility>

namespace hindsight {

/// The place in a model where something was computed: names of modules and numbers of time steps,
/// outermost first. A cheap handle; a Scope creates the place.
class ScopePath {
 public:
  static constexpr Size kNoStep = -1;

  ScopePath() = default;  ///< outside every Scope
  ScopePath(const ScopePath& other) : ScopePath(other.frame_) {}
  ScopePath(ScopePath&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  ScopePath& operator=(ScopePath other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~ScopePath() {
    if (frame_ && --frame_->references == 0) destroy(frame_);
  }

  static const ScopePath& current();  ///< the calling thread's

  explicit operator bool() const { return frame_ != nullptr; }
  bool operator==(const ScopePath& other) const { return frame_ == other.frame_; }
  bool operator!=(const ScopePath& other) const { return frame_ != other.frame_; }
  ScopePath outer() const {
    return frame_ ? ScopePath(frame_->outer) : ScopePath();
  }                               ///< the enclosing place
  std::string_view name() const;  ///< of the module; empty for a time step
  Size step() const;              ///< kNoStep for a module
  /// First and last time step, if this is a step or a part that works on several; otherwise kNoStep
  /// twice.
  std::pair<Size, Size> steps() const;
  Size time_step() const;  ///< the innermost enclosing one, or kNoStep
  /// "encoder, layer 0, time step 3"; empty outside every Scope.
  std::string to_string() const;
  /// The same for all time steps: "encoder, layer 0, each time step".
  std::string modules() const;

 private:
  friend class Scope;
  struct Frame {
    Frame* outer;
    Size first, last;  // time steps; a part that works on several has a name, too
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

/// Time steps `first` to `last`, processed together, for Scope.
struct TimeSteps {
  Size first, last;
};

/// While active, what this thread records belongs to a module or a time step of that name.
/// Recurrent and the modules open their own; a model of yours may add some. Messages, trace(),
/// to_dot() and gradient checks report places by them.
///
///   const Scope decoder("decoder");
///   for (Size t = 0; t < steps; ++t) {
///     const Scope step(TimeStep{t});
class Scope {
 public:
  explicit Scope(std::string_view name);
  explicit Scope(TimeStep step);
  /// For a part of a module that processes several time steps at once.
  Scope(std::string_view name, TimeSteps steps);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  ScopePath before_;
};

/// While active, the current place is `place`: that of an operation recorded earlier, which is
/// being processed.
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
