#include <hindsight/autograd/finite.h>
#include <hindsight/autograd/profile.h>
#include <hindsight/autograd/sweep.h>
#include <hindsight/autograd/tape.h>
#include <hindsight/autograd/weight_gradient.h>

#include <algorithm>
#include <atomic>

namespace hindsight {
namespace {

thread_local Tape* current_tape = nullptr;
std::atomic<std::uint64_t> next_id{1};

/// Calls `f` at the end of a scope, also when an exception leaves it.
template <class F>
struct OnExit {
  F f;
  ~OnExit() { f(); }
};
template <class F>
OnExit(F) -> OnExit<F>;

std::size_t slot_of(const Parameter::Data* data, std::size_t slots) {
  const auto bits = reinterpret_cast<std::uintptr_t>(data) >> 4;
  return (bits * 0x9E3779B97F4A7C15u >> 32) & (slots - 1);
}

// Brings back every value from `op` on that had been released, in the order they were computed.
template <class Next>
void restore(Operation* op, std::vector<Variable>* restored, Next next) {
  bool finished = false;
  const OnExit end{[&] {
    for (const Variable& value : *restored) value.node()->restoring = false;
    if (!finished) restored->clear();  // some are half computed: all are released again
  }};
  for (; op; op = next(op)) {
    Node* node = op->output().node();
    if (node->value && !node->restoring) continue;
    if (!node->restoring) restored->push_back(op->output().variable());
    node->restoring = true;
    op->run();
  }
  finished = true;
}

}  // namespace

Tape* Tape::current() { return current_tape; }

Tape::Tape() : id_(next_id.fetch_add(1, std::memory_order_relaxed)), outer_(current_tape) {
  current_tape = this;
}

Tape::~Tape() {
  forget();
  current_tape = outer_;
}

Tape::Pause::Pause() : paused_(current_tape) { current_tape = nullptr; }
Tape::Pause::~Pause() { current_tape = paused_; }

Tape::Current::Current(Tape* tape) : before_(std::exchange(current_tape, tape)) {}
Tape::Current::~Current() { current_tape = before_; }

// Frees all operations from the youngest, so that nothing is nested however long the tape.
void Tape::forget() {
  restored_.clear();
  while (last_) drop(last_);
  while (uses_) {
    ParameterUse* use = uses_;
    uses_ = use->next;
    use->leaf->gradient = &use->leaf->own_gradient;
    use->leaf->use = nullptr;
    use->leaf->drop_handle();
    use->~ParameterUse();
    pool::release(use, sizeof(ParameterUse));
  }
  table_.reset();
  slots_ = filled_ = 0;
  id_ = next_id.fetch_add(1, std::memory_order_relaxed);
}

void Operation::record_output(const Variable& output) {
  Tape* tape = Tape::current();
  output.node()->tape = tape->id();
  output.node()->wanted = true;
  output.node()->computed = true;
  output_ = Operand(output, Operand::Keep::nothing, tape->id());
  place_ = Place::current();
  tape->append(this);
  if (Profile* profile = Profile::current()) profile->recorded(*this, tape->id());
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
  const Tensor dense = value.dense();
  Node* node = Node::make(dense.dtype(), dense.shape());
  node->value = dense.buffer();
  node->base = dense.layout().offset;
  node->tape = id_;
  node->wanted = true;
  return {node, Layout(dense.shape())};
}

ParameterUse& Tape::use_of(const Parameter& parameter) {
  const auto index = [&] { return table_.data<ParameterUse*>(); };
  if (slots_) {
    for (std::size_t i = slot_of(parameter.data(), slots_); index()[i];
         i = (i + 1) & (slots_ - 1)) {
      if (index()[i]->parameter.data() == parameter.data()) return *index()[i];
    }
  }
  auto* use = new (pool::allocate(sizeof(ParameterUse))) ParameterUse;
  use->parameter = parameter;
  use->next = uses_;
  uses_ = use;
  const Variable leaf = watch(parameter.value());
  use->leaf = leaf.node();
  use->leaf->add_handle();
  use->leaf->use = use;
  use->leaf->gradient = &parameter.data()->gradient;
  if (2 * (++filled_) > slots_) {
    slots_ = slots_ ? 2 * slots_ : 32;
    table_ = Buffer(static_cast<Size>(slots_ * sizeof(ParameterUse*)));
    std::fill_n(index(), slots_, nullptr);
  }
  // After growth all uses go in again, else just the new one.
  for (ParameterUse* u = uses_; u; u = u->next) {
    std::size_t i = slot_of(u->parameter.data(), slots_);
    while (index()[i] && index()[i] != u) i = (i + 1) & (slots_ - 1);
    if (index()[i] == u) break;
    index()[i] = u;
  }
  return *use;
}

void Tape::check_output(const char* op, const Variable& output) const {
  if (!output || output.node()->tape != id_) {
    fail<TapeError>(
        "{}: the output is not recorded on this tape: it depends on no parameter or watched input, "
        "or was "
        "computed before the tape began or after it was used up",
        op);
  }
}

// A leaf reads the memory its parameter had, and writes to the gradient it has.
void Tape::check_parameters(const char* op) const {
  for (const ParameterUse* use = uses_; use; use = use->next) {
    if (use->leaf->dtype != use->parameter.dtype()) {
      fail<TapeError>("{}: parameter {} changed its type while it was recorded", op,
                      use->parameter.name());
    }
  }
}

// Computes the products that the sweep put off.
void Tape::flush() {
  for (ParameterUse* use = uses_; use; use = use->next) {
    {
      const ProfileTimer timer;
      if (use->flush()) timer.swept("weight gradient", use->parameter.name());
    }
    if (finite_checks()) check_finite_gradient(*use);
  }
}

void Tape::backward(const Variable& loss) {
  check_output("backward", loss);
  if (loss.shape().elements() != 1) {
    fail<TapeError>("backward: the loss has shape {}; a scalar is needed (sum or mean it)",
                    loss.shape());
  }
  check_parameters("backward");
  bool finished = false;
  const OnExit end{[&] {
    for (ParameterUse* use = uses_; use && !finished; use = use->next)
      use->parameter.clear_gradient();
    forget();
  }};
  Pause pause;
  Sweep sweep(false, Sweep::After::use_up);
  sweep.add(Operand(loss, Operand::Keep::nothing, id_),
            Tensor::full(loss.shape(), 1, loss.dtype()));
  use_up(nullptr);
  flush();
  finished = true;
}

void Tape::use_up(const Operation* mark) {
  Pause pause;
  Sweep sweep(false, Sweep::After::use_up);
  for (Operation* op = last_; op != mark; op = last_) {
    Node* node = op->output().node();
    if (!node->gradient->empty()) sweep.through(*op);
    node->add_record();
    drop(op);
    if (node->records == 1) node->own_gradient.release();  // no part is left to go backward
    node->drop_record();
  }
}

void Tape::derive(const Operation* mark, Sweep& sweep) {
  restore_values(mark);
  for (Operation* op = last_; op != mark; op = op->previous_) {
    if (op->output().node()->contributions) sweep.through(*op);
  }
}

void Tape::drop_after(const Operation* mark) {
  while (last_ != mark) drop(last_);
}

void Tape::restore_values(const Operation* before) {
  restore(before ? before->next_ : first_, &restored_, [](Operation* op) { return op->next_; });
}

// Only what lies between the inputs and the end of the tape gets a gradient.
void Tape::mark_wanted(const std::vector<Variable>& inputs) {
  for (ParameterUse* use = uses_; use; use = use->next) use->leaf->wanted = false;
  const auto for_all = [&](auto&& f) {
    for (Operation* op = first_; op; op = op->next_) f(*op);
  };
  for_all([](Operation& op) {
    op.output().node()->wanted = false;
    for (int i = 0; i < op.inputs().second; ++i) {
      const Operand& input = op.inputs().first[i];
      if (input.tracked()) input.node()->wanted = false;
    }
  });
  for (const Variable& input : inputs) input.node()->wanted = true;
  for_all([](Operation& op) {
    bool wanted = op.output().node()->wanted;
    for (int i = 0; i < op.inputs().second; ++i) wanted = wanted || op.inputs().first[i].wanted();
    op.output().node()->wanted =
        wanted;  // several operations may fill one sequence: true stays true
  });
}

std::vector<Variable> Tape::gradient(const std::vector<Variable>& outputs,
                                     const std::vector<Variable>& inputs,
                                     const GradientOptions& options) {
  if (!options.cotangents.empty() && options.cotangents.size() != outputs.size()) {
    fail<TapeError>("gradient: {} cotangents for {} outputs", options.cotangents.size(),
                    outputs.size());
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i] || inputs[i].node()->tape != id_)
      fail<TapeError>("gradient: input {} is not recorded on this tape", i);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i]) fail<TapeError>("gradient: output {} is an empty Variable", i);
  }
  check_parameters("gradient");
  Operation* const youngest = last_;
  std::vector<Variable> results;
  {
    // A recorded sweep goes on this tape; another leaves no trace.
    Tape* const resumed = std::exchange(current_tape, options.create_graph ? this : nullptr);
    const OnExit end{[&] {
      current_tape = resumed;
      settle(outputs, inputs);
    }};
    mark_wanted(inputs);
    if (options.create_graph) restore_values(nullptr);
    for (ParameterUse* use = uses_; use; use = use->next)
      use->leaf->gradient = &use->leaf->own_gradient;
    Sweep sweep(options.create_graph, Sweep::After::keep);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const Variable& output = outputs[i];
      if (output.node()->tape != id_ || !output.node()->wanted) {
        if (options.throw_if_unused)
          fail<TapeError>("gradient: output {} does not depend on any input", i);
        continue;
      }
      if (options.cotangents.empty() && output.shape().elements() != 1) {
        fail<TapeError>(
            "gradient: output {} has shape {}; a scalar, or a cotangent of that shape, is needed",
            i, output.shape());
      }
      if (!options.cotangents.empty() && options.cotangents[i].shape() != output.shape()) {
        fail<ShapeError>("gradient: output {} has shape {} but its cotangent {}", i, output.shape(),
                         options.cotangents[i].shape());
      }
      if (!options.cotangents.empty() && options.cotangents[i] &&
          options.cotangents[i].dtype() != output.dtype()) {
        fail<DTypeError>("gradient: output {} is {} but its cotangent {}", i, name(output.dtype()),
                         name(options.cotangents[i].dtype()));
      }
      // A second handle to the caller's cotangent, whose memory the sweep must not take over.
      Variable weight = options.cotangents.empty() ? Variable() : options.cotangents[i];
      if (!weight) weight = Variable(Tensor::full(output.shape(), 1, output.dtype()));
      // On the tape, so that what is not computed from it is found out.
      if (options.create_graph && !weight.recorded()) weight = watch(weight.value());
      sweep.add(Operand(output, Operand::Keep::nothing, id_), weight);
    }
    for (const Variable& input : inputs) input.node()->keep_gradient = true;
    for (Operation* op = youngest; op; op = op->previous_) {
      Node* node = op->output().node();
      if (!node->wanted || (node->gradient->empty() && !node->contributions)) continue;
      sweep.through(*op);
      if (!node->keep_gradient && !node->in_parts) node->own_gradient.release();
    }
    flush();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const Operand operand(inputs[i], Operand::Keep::nothing, id_);
      const Node* node = inputs[i].node();
      const bool unused = node->gradient->empty() && !node->contributions;
      if (unused && options.throw_if_unused) {
        const Parameter* parameter = parameter_of(operand);
        fail<TapeError>("gradient: no output depends on input {}{}", i,
                        parameter ? ", the parameter " + parameter->name() : "");
      }
      results.push_back(sweep.gradient_variable(operand));
    }
  }
  return results;
}

// After a gradient() that kept the tape: gradients are dropped, parameters' own are back in place.
void Tape::settle(const std::vector<Variable>& outputs, const std::vector<Variable>& inputs) {
  const auto reset = [](Node* node) {
    node->own_gradient.release();
    if (node->contributions) clear_contributions(node);
    node->wanted = true;
    node->keep_gradient = false;
  };
  for (Operation* op = first_; op; op = op->next_) {
    reset(op->output().node());
    for (int i = 0; i < op->inputs().second; ++i) {
      const Operand& input = op->inputs().first[i];
      if (input.tracked()) reset(input.node());
    }
  }
  // An input whose views are the outputs belongs to no operation.
  for (const std::vector<Variable>* ends : {&outputs, &inputs}) {
    for (const Variable& end : *ends) {
      if (end.node()->tape == id_) reset(end.node());
    }
  }
  for (ParameterUse* use = uses_; use; use = use->next) {
    reset(use->leaf);
    use->discard();  // of a sweep that threw
    use->leaf->gradient = &use->parameter.data()->gradient;
  }
}

}  // namespace hindsight
