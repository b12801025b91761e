#include <hindsight/autograd/derivatives/recorded_sweep.h>
#include <hindsight/autograd/tape/parameter_use.h>
#include <hindsight/autograd/tape/sweep.h>
#include <hindsight/autograd/tensor/on_exit.h>

#include <optional>
#include <unordered_map>
#include <utility>

namespace hindsight {

/// Calls `f` with the node of every output and input of the operations after `before`, of every
/// parameter, and of those of `ends` that belong to this tape; with some more than once.
template <class F>
void Tape::for_each_node(const Operation* before, const std::vector<Variable>& ends, F&& f) const {
  for (const Operation* op = before ? before->next() : first_; op; op = op->next()) {
    f(op->output().node());
    const auto [inputs, count] = op->inputs();
    for (int i = 0; i < count; ++i) {
      if (inputs[i].recorded()) f(inputs[i].node());
    }
  }
  for (const ParameterUse* use = uses_; use; use = use->next) f(use->leaf);
  for (const Variable& end : ends) {  // an input whose views are the outputs has no operation
    if (end.node()->tape == id_) f(end.node());
  }
}

/// While active, a nested sweep can use the nodes: saves the state that the outer sweep stores in
/// them, and restores it on destruction.
class Tape::SetAside {
 public:
  SetAside(Tape& tape, const Operation* before, const std::vector<Variable>& ends) {
    for (ParameterUse* use = tape.uses_; use; use = use->next) use->flush();
    collect(tape, before, ends);
    for (State& state : states_) {
      Node* node = state.node;
      node->add_record();
      state.gradient = std::exchange(node->gradient, nullptr);
      state.parameter_gradient = std::exchange(node->parameter_gradient, false);
      state.contributions = std::exchange(node->contributions, nullptr);
      state.needs_gradient = node->needs_gradient;
      state.keep_gradient = std::exchange(node->keep_gradient, false);
    }
  }
  SetAside(const SetAside&) = delete;
  SetAside& operator=(const SetAside&) = delete;
  ~SetAside() {
    for (State& state : states_) {
      Node* node = state.node;
      node->release_gradient();
      node->gradient = state.gradient;
      node->parameter_gradient = state.parameter_gradient;
      node->contributions = state.contributions;
      node->needs_gradient = state.needs_gradient;
      node->keep_gradient = state.keep_gradient;
      node->drop_record();
    }
  }

 private:
  struct State {
    Node* node;
    Gradient* gradient = nullptr;
    Contribution* contributions = nullptr;
    bool parameter_gradient = false, needs_gradient = false, keep_gradient = false;
  };

  // Collects each node once. If memory runs out here, no state has been changed.
  void collect(const Tape& tape, const Operation* before, const std::vector<Variable>& ends) {
    const OnExit unmark{[&] {
      for (const State& state : states_) state.node->visited = false;
    }};
    tape.for_each_node(before, ends, [&](Node* node) {
      if (node->visited) return;
      states_.push_back({node});
      node->visited = true;
    });
  }

  std::vector<State> states_;
};

/// The operation that computed the oldest of the inputs: operations up to it do not depend on the
/// inputs. Null if an input may precede every operation.
const Operation* Tape::older_than(const std::vector<Variable>& inputs) const {
  std::unordered_multimap<const Node*, const Variable*> of_node;
  for (const Variable& input : inputs) {
    if (!input.node()->computed && !input.node()->in_parts) return nullptr;  // no operation did
    of_node.emplace(input.node(), &input);
  }
  std::size_t found = 0;
  for (const Operation* op = last_; op; op = op->previous()) {
    const Operand& output = op->output();
    for (auto [i, end] = of_node.equal_range(output.node()); i != end; ++i) {
      if (!i->first->in_parts || output.layout() == i->second->layout()) ++found;
    }
    if (found == inputs.size()) return op;
  }
  return nullptr;
}

// Only values computed from the inputs receive a gradient; outputs older than all inputs do not.
void Tape::mark_needed(const Operation* before, const std::vector<Variable>& ends,
                       const std::vector<Variable>& inputs) {
  for_each_node(before, ends, [](Node* node) { node->needs_gradient = false; });
  for (const Variable& input : inputs) input.node()->needs_gradient = true;
  for (Operation* op = before ? before->next_ : first_; op; op = op->next_) {
    const auto [operands, count] = op->inputs();
    // Several operations may compute parts of one sequence, so a true flag stays true.
    bool needs = op->output().node()->needs_gradient;
    for (int i = 0; i < count; ++i) needs = needs || operands[i].needs_gradient();
    op->output().node()->needs_gradient = needs;
  }
}

// A recorded sweep reads the inputs of the operations on the paths from the inputs to `outputs`.
void Tape::restore_between(const Operation* before, const std::vector<Variable>& outputs) {
  std::unordered_set<const Node*> leading;
  for (const Variable& output : outputs) leading.insert(output.node());
  restore_values(before, [&](const Operation& op) {
    const Node* output = op.output().node();
    if (!output->needs_gradient || leading.count(output) == 0) return false;
    const auto [inputs, count] = op.inputs();
    for (int i = 0; i < count; ++i) {
      if (inputs[i].needs_gradient()) leading.insert(inputs[i].node());
    }
    return true;
  });
}

/// Whether backward() has freed the operation that computed the output. Searched by layout, because
/// all steps of a Sequence share a node.
bool Tape::used_up(const Variable& output) const {
  if (output.node()->tape != id_ || !output.node()->used_up) return false;
  for (const Operation* op = last_; op; op = op->previous()) {
    if (op->output().node() == output.node() && op->output().layout() == output.layout())
      return false;
  }
  return true;
}

/// Starts the sweep with the cotangent of output i.
void Tape::seed(ReverseSweep& sweep, std::size_t i, const Variable& output,
                const GradientOptions& options) {
  if (used_up(output)) {
    fail<TapeError>(
        "gradient: output {} was computed after the operation that is being swept; backward() has "
        "already freed the operations that computed it",
        i);
  }
  if (output.node()->tape != id_ || !output.node()->needs_gradient) {
    if (options.throw_if_unused)
      fail<TapeError>("gradient: output {} does not depend on any input", i);
    return;
  }
  // A second handle, so that the sweep does not adopt the memory of the caller's cotangent.
  Variable weight = options.cotangents.empty() ? Variable() : options.cotangents[i];
  if (options.cotangents.empty() && output.shape().elements() != 1) {
    fail<TapeError>(
        "gradient: output {} has shape {}; a scalar, or a cotangent of that shape, is needed", i,
        output.shape());
  }
  if (!options.cotangents.empty() && weight.shape() != output.shape()) {
    fail<ShapeError>("gradient: output {} has shape {} but its cotangent has shape {}", i,
                     output.shape(), weight.shape());
  }
  if (weight && weight.dtype() != output.dtype()) {
    fail<DTypeError>("gradient: output {} is {} but its cotangent is {}", i, name(output.dtype()),
                     name(weight.dtype()));
  }
  if (!weight) weight = Variable(Tensor::full(output.shape(), 1, output.dtype()));
  // Recorded, so that a gradient not computed from it with Variables is detected.
  if (options.create_graph && !weight.recorded()) weight = watch(weight.value());
  sweep.add(Operand(output, Operand::Save::nothing, *this), weight);
}

/// The gradient of input i at the end of the sweep.
Variable Tape::result(ReverseSweep& sweep, std::size_t i, const Variable& input,
                      bool throw_if_unused) {
  const Operand operand(input, Operand::Save::nothing, *this);
  const Node* node = input.node();
  if (throw_if_unused && !node->has_gradient() && !node->contributions) {
    const Parameter* parameter = parameter_of(operand);
    fail<TapeError>("gradient: no output depends on input {}{}", i,
                    parameter ? ", the parameter " + parameter->name() : "");
  }
  return sweep.gradient_variable(operand);
}

void Tape::check_gradient_of(const std::vector<Variable>& outputs,
                             const std::vector<Variable>& inputs,
                             const GradientOptions& options) const {
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
}

std::vector<Variable> Tape::gradient(const std::vector<Variable>& outputs,
                                     const std::vector<Variable>& inputs,
                                     const GradientOptions& options) {
  check_gradient_of(outputs, inputs, options);
  check_parameters("gradient");
  std::vector<Variable> ends = outputs;
  ends.insert(ends.end(), inputs.begin(), inputs.end());
  const Operation* const before = older_than(inputs);
  const Busy busy(*this);
  std::optional<SetAside> outer;
  if (busy_ > 1) outer.emplace(*this, before, ends);
  const OnExit reset{[&] { reset_marks(before, ends); }};
  // A recorded sweep is recorded on this tape; any other sweep is not recorded.
  const Current recording(options.create_graph ? this : nullptr);

  Operation* const newest = last_;
  mark_needed(before, ends, inputs);
  if (options.create_graph) restore_between(before, outputs);
  for (ParameterUse* use = uses_; use; use = use->next) use->detach_gradient();
  const auto run = [&](ReverseSweep&& sweep) {
    for (std::size_t i = 0; i < outputs.size(); ++i) seed(sweep, i, outputs[i], options);
    for (const Variable& input : inputs) input.node()->keep_gradient = true;
    sweep_back(sweep, newest, before, [](Operation& op, bool swept) {
      Node* node = op.output().node();
      if (swept && !node->keep_gradient && !node->in_parts) node->release_gradient();
    });
    flush();
    check_parameters("gradient");
    std::vector<Variable> results;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      results.push_back(result(sweep, i, inputs[i], options.throw_if_unused));
    return results;
  };
  return options.create_graph ? run(RecordedSweep(*this))
                              : run(MemorySweep(ReverseSweep::After::keep));
}

// After gradient(): drops the gradients in the nodes and restores those of the parameters.
void Tape::reset_marks(const Operation* before, const std::vector<Variable>& ends) {
  for_each_node(before, ends, [](Node* node) {
    node->release_gradient();
    if (node->contributions) clear_contributions(node);
    node->needs_gradient = true;
    node->keep_gradient = false;
  });
  for (ParameterUse* use = uses_; use; use = use->next) {
    use->discard();  // left by a sweep that threw
    use->attach_gradient();
  }
}

}  // namespace hindsight
