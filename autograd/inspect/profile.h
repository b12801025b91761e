#pragma once
#include <hindsight/autograd/tape/observer.h>

#include <chrono>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace hindsight {

/// While active, the forward and backward of every operation that this thread records are timed.
/// The sums remain after the tape is consumed. Only the innermost Profile measures; when none is
/// active the clock is never read.
///
///   Profile profile;
///   { Tape tape; tape.backward(loss_of(model)); }
///   fmt::print("{}", profile.to_string());
class Profile final : public Observer {
 public:
  /// All operations of one name in one part of the model, over all time steps.
  struct Row {
    std::string place;  ///< "encoder, layer 0, each time step"
    std::string op;
    Size count = 0;       ///< how often it was recorded
    Size swept = 0;       ///< how often its backward ran
    double forward = 0;   ///< seconds, without operations recorded inside it
    double backward = 0;  ///< seconds
    Size bytes = 0;       ///< of outputs, and of what operations save besides
  };

  Profile();
  ~Profile() override;

  std::vector<Row> rows() const;  ///< the slowest first
  Row total() const;
  /// A table of the rows and their total; times in milliseconds.
  std::string to_string() const;
  /// Seconds that the forward of a recorded operation took; 0 if it was not timed.
  double forward_of(const Operation& operation) const;
  void clear();  ///< forgets all that was measured

  /// The innermost active Profile of this thread, or null.
  static Profile* current();

  // What it observes -----------------------------------------------------------------------------

  void started() override;
  void ended() override;
  void recorded(const Operation& operation) override;
  void swept(const Operation& operation, bool in_memory) override;
  void flushed(const ParameterUse& use, bool any) override;

 private:
  using Clock = std::chrono::steady_clock;
  struct Forward {
    std::uint64_t tape;
    double seconds;
  };
  /// An operation that is running.
  struct Started {
    Clock::time_point begin;
    double inside = 0;     // seconds of operations inside it that have rows of their own
    bool counted = false;  // whether it has a row of its own
  };
  Row& row(std::string place, std::string_view op);
  double count();
  void add_backward(std::string place, const char* op);

  std::map<std::pair<std::string, std::string>, Row> rows_;
  std::unordered_map<const Operation*, Forward> forward_;
  std::vector<Started> started_;  // the innermost last
  Profile* outer_profile_;
};

}  // namespace hindsight
