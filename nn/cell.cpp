#include <hindsight/autograd/tensor/error.h>
#include <hindsight/nn/cell.h>

namespace hindsight::nn {

State State::detach() const {
  State result;
  for (const Variable& part : parts_) result.push_back(part.detach());
  return result;
}

const Variable& State::recurrent() const {
  recurrent_was_read_ = true;
  return recurrent_ ? recurrent_ : parts_.front();
}

void State::set_recurrent(const Variable& h) {
  recurrent_ = h;
  recurrent_was_read_ = false;
}

Variable Cell::project(const Indices&) const {
  fail<Error>("Recurrent: this cell takes vectors, not symbols: embed them first");
}

Variable Cell::output(const Variable&, const State& next) const { return next[0]; }

State Cell::scan(const Variable&, const State&) const {
  fail<Error>("Recurrent: the states of this cell cannot be computed all at once");
}

}  // namespace hindsight::nn
