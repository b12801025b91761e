#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/parameter_use.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tape/tape.h>
#include <hindsight/autograd/tensor/on_exit.h>

#include <atomic>

namespace hindsight {
namespace {

std::atomic<std::uint64_t> next_id{1};

}  // namespace

Tape::Tape() : id_(next_id.fetch_add(1, std::memory_order_relaxed)) {}

Tape::~Tape() { clear(); }

// Releases the values that a nested sweep restored, which nothing else reads.
Tape::Busy::~Busy() {
  if (--tape_.busy_ > 0) tape_.restored_.resize(restored_);
}

Tape::Rewound::Rewound(Tape& tape, Operation& operation)
    : tape_(tape), before_(operation.previous_), first_(&operation), last_(tape.last_) {
  next_of_before() = nullptr;
  tape_.last_ = before_;
}

Tape::Rewound::~Rewound() {
  Operation* const recorded = next_of_before();
  next_of_before() = first_;
  last_->next_ = recorded;
  (recorded ? recorded->previous_ : tape_.last_) = last_;
}

// Frees operations newest first in a loop: destruction must not recurse.
void Tape::clear() {
  restored_.clear();
  while (last_) drop(last_);
  while (uses_) {
    ParameterUse* use = uses_;
    uses_ = use->next;
    use->detach_gradient();
    use->leaf->use = nullptr;
    use->leaf->drop_handle();
    use->~ParameterUse();
    pool::release(use, sizeof(ParameterUse), 0);
  }
  use_of_.clear();
  id_ = next_id.fetch_add(1, std::memory_order_relaxed);
}

void Tape::append(Operation* operation) {
  operation->previous_ = last_;
  (last_ ? last_->next_ : first_) = operation;
  last_ = operation;
  ++count_;
}

void Tape::drop(Operation* operation) {
  (operation->previous_ ? operation->previous_->next_ : first_) = operation->next_;
  (operation->next_ ? operation->next_->previous_ : last_) = operation->previous_;
  --count_;
  delete operation;
}

Variable Tape::watch(const Tensor& value) {
  if (!value) fail("watch: the Tensor is empty");
  const Tensor dense = value.layout() == Layout(value.shape()) ? value : value.contiguous_copy();
  Node* node = Node::make(dense.dtype(), dense.layout());
  node->value = dense.buffer();
  node->tape = id_;
  node->needs_gradient = true;
  return {node, node->layout};
}

ParameterUse& Tape::use_of(const Parameter& parameter) {
  ParameterUse*& known = use_of_[parameter.data()];
  if (known) return *known;
  // Allocations come first: if one throws, the entry stays null, and the parameter is not on the
  // tape.
  const Variable leaf = watch(parameter.value());
  auto* use = new (pool::allocate(sizeof(ParameterUse), 0)) ParameterUse;
  use->parameter = parameter;
  use->version = parameter.data()->version;
  use->next = uses_;
  use->leaf = leaf.node();
  use->leaf->add_handle();
  use->leaf->use = use;
  use->attach_gradient();
  return *(known = uses_ = use);
}

void Tape::check_output(const char* op, const Variable& output) const {
  if (!output || output.node()->tape != id_) {
    fail<TapeError>(
        "{}: the output is not recorded on this tape: it depends on no parameter or watched "
        "input, or was recorded before the tape was created or before its last backward()",
        op);
  }
}

// Operations read the memory that a parameter had when they were recorded, but a sweep writes to
// the gradient that it has now.
void Tape::check_parameters(const char* op) const {
  for (const ParameterUse* use = uses_; use; use = use->next) {
    if (use->leaf->dtype != use->parameter.dtype()) {
      fail<TapeError>("{}: the dtype of parameter {} was changed after the tape used it", op,
                      use->parameter.name());
    }
    const bool in_place = use->parameter.value().buffer() == use->leaf->value;
    if (in_place && use->version != use->parameter.data()->version) {
      fail<TapeError>(
          "{}: parameter {} was changed after the tape used it, so its derivatives can no longer "
          "be computed; change it after the sweep, or use a new tape",
          op, use->parameter.name());
    }
  }
}

// Computes the products that the sweep deferred.
void Tape::flush() {
  for (ParameterUse* use = uses_; use; use = use->next) {
    const OperationScope scope;
    const bool any = use->flush();
    scope.flushed(*use, any);
  }
}

void Tape::backward(const Variable& loss) {
  if (busy_ > 0) {
    fail<TapeError>(
        "backward: it cannot be called within a sweep of the same tape or within a checkpoint, "
        "because it would free operations that are still needed; call gradient(), or record on a "
        "separate tape");
  }
  check_output("backward", loss);
  if (loss.shape().elements() != 1) {
    fail<TapeError>("backward: the loss has shape {}; a scalar is needed (sum or mean it)",
                    loss.shape());
  }
  check_parameters("backward");
  bool finished = false;
  const OnExit end{[&] {
    for (ParameterUse* use = uses_; use && !finished; use = use->next) {
      if (use->leaf->parameter_gradient) use->leaf->gradient->clear();
    }
    clear();
  }};
  const Busy busy(*this);
  MemorySweep sweep(ReverseSweep::After::use_up);
  sweep.add(Operand(loss, Operand::Save::nothing, *this),
            Variable(Tensor::full(loss.shape(), 1, loss.dtype())));
  backward_to(nullptr);
  flush();
  check_parameters("backward");
  finished = true;
}

void Tape::backward_to(const Operation* before) {
  const Pause pause;
  MemorySweep sweep(ReverseSweep::After::use_up);
  sweep_back(sweep, last_, before, [&](Operation& op, bool) {
    Node* node = op.output().node();
    node->add_record();
    node->used_up = true;
    drop(&op);
    if (node->records == 1) node->release_gradient();  // no other operation refers to it
    node->drop_record();
  });
}

void Tape::differentiate_recorded(const Operation* before, ReverseSweep& sweep) {
  restore_values(before, [](const Operation&) { return true; });
  sweep_back(sweep, last_, before, [](Operation&, bool) {});
}

void Tape::restore_all() {
  std::unordered_set<const Node*> missing;
  for (const Operation* op = first_; op; op = op->next_) {
    if (!op->output().node()->value) missing.insert(op->output().node());
  }
  restore_values(nullptr, missing);
}

// Oldest first, so that the inputs of each operation are computed before it.
void Tape::restore_values(const Operation* before, const std::unordered_set<const Node*>& missing) {
  if (missing.empty()) return;
  const std::size_t held = restored_.size();
  try {
    for (Operation* op = before ? before->next_ : first_; op; op = op->next_) {
      const Operand& output = op->output();
      if (missing.count(output.node()) == 0) continue;
      if (!output.node()->value) restored_.push_back(output.variable());
      op->run();
    }
  } catch (...) {
    restored_.resize(held);  // the last may be incomplete: release all
    throw;
  }
}

void Tape::drop_after(const Operation* mark) {
  while (last_ != mark) drop(last_);
}

}  // namespace hindsight
