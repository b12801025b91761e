#pragma once
#include <hindsight/autograd/tape/parameter.h>

#include <utility>
#include <vector>

namespace hindsight {

/// The gradients of one part of a computation that several threads share: while an Active is on a
/// thread, its reverse sweeps add to these instead of the parameters' own gradients. Part 0 adds to
/// the parameters' own. The memory belongs to the parameters, which keep it for the next time.
class LocalGradients {
 public:
  explicit LocalGradients(int part) : part_(part) {}

  /// While active, the sweeps of this thread add to `gradients`.
  class Active {
   public:
    explicit Active(LocalGradients* gradients) : outer_(std::exchange(current_, gradients)) {}
    ~Active() { current_ = outer_; }
    Active(const Active&) = delete;
    Active& operator=(const Active&) = delete;

   private:
    LocalGradients* outer_;
  };
  /// That of the calling thread, or null.
  static LocalGradients* current() { return current_; }

  /// The gradient of `parameter` in this part.
  Gradient& gradient(const Parameter& parameter) const;
  /// The same for a sweep; notes that the parameter was used.
  Gradient& use(const Parameter& parameter);

  /// The parameters used since the last forget(), some more than once.
  const std::vector<Parameter>& used() const { return used_; }
  /// Clears the gradients of the used parameters: those of this part, and the parameters' own. Not
  /// while another part is computed.
  void clear();
  /// Keeps neither the parameters nor their gradients.
  void forget() { used_.clear(); }

 private:
  static inline thread_local LocalGradients* current_ = nullptr;

  int part_;
  std::vector<Parameter> used_;
};

/// Adds the gradients of parts 1, 2, ... to the parameters' own in the order of parts, on up to
/// `threads` threads, and clears them; the result does not depend on the number of threads. Not
/// while a part is computed.
void add_to_parameters(const std::vector<LocalGradients>& parts, int threads);

}  // namespace hindsight
