#pragma once
#include <hindsight/autograd/operation.h>

#include <chrono>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace hindsight {

class ProfileTimer;

/// While alive, every operation that this thread records is timed, and so is its way back. The
/// sums stay when the tape is used up. Where none is alive the clock is never read.
///
///   Profile profile;
///   { Tape tape; tape.backward(loss_of(model)); }
///   fmt::print("{}", profile.to_string());
class Profile {
 public:
  /// All operations of one name in one part of the model, over all time steps.
  struct Row {
    std::string place;  ///< "encoder, layer 0, each time step"
    std::string op;
    Size count = 0;       ///< how often it was recorded
    Size swept = 0;       ///< how often it went backward
    double forward = 0;   ///< seconds, without what it records inside
    double backward = 0;  ///< seconds
    Size bytes = 0;       ///< of outputs, and of what operations keep beside them
  };

  Profile();
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  std::vector<Row> rows() const;  ///< those that took the longest first
  Row total() const;
  /// A table of the rows and their total; times in milliseconds.
  std::string to_string() const;
  /// Seconds that the forward of a recorded operation took; 0 where it was not timed.
  double forward_of(const Operation& operation) const;
  void clear();  ///< starts anew

  /// The youngest living one of this thread, or null.
  static Profile* current();

  // For operations and sweeps --------------------------------------------------------------------

  void recorded(const Operation& operation, std::uint64_t tape);

 private:
  friend class ProfileTimer;
  struct Forward {
    std::uint64_t tape;
    double seconds;
  };
  Row& row(std::string place, std::string_view op);

  std::map<std::pair<std::string, std::string>, Row> rows_;
  std::unordered_map<const Operation*, Forward> forward_;
  ProfileTimer* innermost_ = nullptr;
  Profile* outer_;
};

/// Times its scope for the current Profile, if there is one, leaving out timers inside of it.
class ProfileTimer {
 public:
  ProfileTimer() : profile_(Profile::current()) {
    if (profile_) start();
  }
  ~ProfileTimer() {
    if (profile_) stop();
  }
  ProfileTimer(const ProfileTimer&) = delete;
  ProfileTimer& operator=(const ProfileTimer&) = delete;

  /// An operation has gone backward.
  void swept(const Operation& operation) const {
    if (profile_) add(operation.place().modules(), operation.name());
  }
  void swept(const char* op, const std::string& place) const {
    if (profile_) add(place, op);
  }

 private:
  friend class Profile;
  using Clock = std::chrono::steady_clock;
  void start();
  void stop();
  void add(const std::string& place, const char* op) const;
  double seconds() const;

  Profile* profile_;
  ProfileTimer* outer_ = nullptr;
  Clock::time_point begin_;
  double inside_ = 0;  // seconds of timers within
};

}  // namespace hindsight
