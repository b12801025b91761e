#include <hindsight/autograd/tape/observer.h>

#include <utility>

namespace hindsight {

Observer::Observer() : outer_(std::exchange(innermost_, this)) {}
Observer::~Observer() { innermost_ = outer_; }

}  // namespace hindsight
