#include <hindsight/autograd/tensor/error.h>
#include <hindsight/nn/cell.h>

namespace hindsight::nn {

State::State(std::initializer_list<Variable> parts) {
  for (const Variable& part : parts) push_back(part);
}

void State::push_back(const Variable& part) {
  if (count_ == kMost) fail<OptionError>("State: at most {} parts are supported", kMost);
  parts_[static_cast<std::size_t>(count_++)] = part;
}

void State::resize(int count) {
  for (; count_ > count; --count_) parts_[static_cast<std::size_t>(count_ - 1)] = Variable();
}

State State::detach() const {
  State result = *this;
  for (int i = 0; i < count_; ++i) result[i] = result[i].detach();
  return result;
}

Variable Cell::project(const Indices&) const {
  fail<Error>("Recurrent: this cell takes vectors, not symbols: embed them first");
}

}  // namespace hindsight::nn
