#include <hindsight/autograd/tape/observer.h>

#include <utility>

namespace hindsight {
namespace {

thread_local Observer* current_observer = nullptr;

}  // namespace

Observer* Observer::current() { return current_observer; }

Observer::Observer() : outer_(std::exchange(current_observer, this)) {}
Observer::~Observer() { current_observer = outer_; }

}  // namespace hindsight
