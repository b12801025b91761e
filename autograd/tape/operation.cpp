#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>

namespace hindsight {

void Operation::jvp(ForwardSweep& sweep) { sweep.transpose(*this); }

Operands::Operands(Tape& tape, int count)
    : data_(static_cast<Operand*>(
          tape.arena().allocate(static_cast<std::size_t>(count) * sizeof(Operand)))),
      count_(count) {
  for (int i = 0; i < count; ++i) new (data_ + i) Operand();
}

Operands::~Operands() {
  for (int i = 0; i < count_; ++i) data_[i].~Operand();
  Arena::release(data_);
}

void record(std::unique_ptr<Operation> operation, const Variable& output) {
  Tape* tape = Tape::current();
  Operation* const op = operation.get();
  op->output_ =
      Operand::output(output, *tape);  // the only step that may throw before the tape owns it
  Node* node = output.node();
  node->tape = tape->id();
  node->needs_gradient = true;
  node->computed = true;
  op->place_ = ScopePath::current();
  tape->append(operation.release());
  for (Observer* o = Observer::current(); o; o = o->outer()) o->recorded(*op);
}

void Operation::fail_in_progress() const {
  const std::string place = place_.to_string();
  fail<TapeError>(
      "{}{}{}: a derivative requested within the backward of this operation depends on the "
      "operation itself",
      name(), place.empty() ? "" : " in ", place);
}

}  // namespace hindsight
