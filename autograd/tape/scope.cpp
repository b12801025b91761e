#include <fmt/format.h>
#include <hindsight/autograd/tape/scope.h>

#include <cstring>
#include <new>

namespace hindsight {
namespace {
// Scopes restore what they found, so it is empty when the thread ends.
thread_local ScopePath current_place;
}  // namespace

const ScopePath& ScopePath::current() { return current_place; }

ScopePath ScopePath::make(std::string_view name, Size first, Size last) {
  const auto size = static_cast<std::uint32_t>(name.size());
  void* memory = pool::allocate(sizeof(Frame) + size, 0);
  Frame* outer = current_place.frame_;
  if (outer) ++outer->references;
  Frame* frame = new (memory) Frame{outer, first, last, 0, size};
  if (size > 0) std::memcpy(frame->name(), name.data(), size);
  return ScopePath(frame);
}

// A frame without references drops its reference to the enclosing one, and so on outwards.
void ScopePath::destroy(Frame* frame) {
  do {
    Frame* outer = frame->outer;
    pool::release(frame, sizeof(Frame) + frame->name_size, 0);
    frame = outer;
  } while (frame && --frame->references == 0);
}

std::string_view ScopePath::name() const {
  return frame_ ? std::string_view(frame_->name(), frame_->name_size) : std::string_view();
}

Size ScopePath::step() const { return frame_ && frame_->name_size == 0 ? frame_->first : kNoStep; }

std::pair<Size, Size> ScopePath::steps() const {
  if (!frame_) return {kNoStep, kNoStep};
  return {frame_->first, frame_->last};
}

Size ScopePath::time_step() const {
  for (const Frame* frame = frame_; frame; frame = frame->outer) {
    if (frame->name_size == 0 && frame->first != kNoStep) return frame->first;
  }
  return kNoStep;
}

std::string ScopePath::to_string() const {
  if (!frame_) return "";
  const std::string around = outer().to_string();
  std::string here(name());
  if (here.empty() && frame_->first != kNoStep) {
    here = fmt::format("time step {}", frame_->first);
  } else if (frame_->first != kNoStep) {
    here += fmt::format(" of steps {} to {}", frame_->first, frame_->last);
  }
  return around.empty() ? here : around + ", " + here;
}

std::string ScopePath::modules() const {
  std::string names;
  for (Frame* frame = frame_; frame; frame = frame->outer) {
    if (frame->name_size == 0 && frame->first == kNoStep) continue;
    const std::string_view here = frame->name_size == 0
                                      ? std::string_view("each time step")
                                      : std::string_view(frame->name(), frame->name_size);
    names = names.empty() ? std::string(here) : fmt::format("{}, {}", here, names);
  }
  return names;
}

Scope::Scope(std::string_view name)
    : before_(std::exchange(current_place,
                            ScopePath::make(name, ScopePath::kNoStep, ScopePath::kNoStep))) {}
Scope::Scope(TimeStep step)
    : before_(std::exchange(current_place, ScopePath::make({}, step.t, step.t))) {}
Scope::Scope(std::string_view name, TimeSteps steps)
    : before_(std::exchange(current_place, ScopePath::make(name, steps.first, steps.last))) {}
Scope::~Scope() { current_place = std::move(before_); }

ScopeGuard::ScopeGuard(const ScopePath& place) : before_(std::exchange(current_place, place)) {}
ScopeGuard::~ScopeGuard() { current_place = std::move(before_); }

}  // namespace hindsight
