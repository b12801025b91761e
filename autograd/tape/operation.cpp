#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>

namespace hindsight {

void Operation::jvp(ForwardSweep& sweep) { sweep.transpose(*this); }

void Operation::record_output(const Variable& output) {
  Tape* tape = Tape::current();
  output.node()->tape = tape->id();
  output.node()->needs_gradient = true;
  output.node()->computed = true;
  output_ = Operand(output, Operand::Save::nothing, tape->id());
  place_ = ScopePath::current();
  tape->append(this);
  for (Observer* o = Observer::current(); o; o = o->outer()) o->recorded(*this);
}

void Operation::fail_in_progress() const {
  const std::string place = place_.to_string();
  fail<TapeError>(
      "{}{}{}: a derivative requested within the backward of this operation depends on the "
      "operation itself",
      name(), place.empty() ? "" : " in ", place);
}

}  // namespace hindsight
