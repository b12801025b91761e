#include <hindsight/autograd/derivatives/forward_sweep.h>
#include <hindsight/autograd/derivatives/recorded_sweep.h>

#include <unordered_map>

namespace hindsight {
namespace {

/// Saves the `needs_gradient` flags that a nested sweep changes; restores them on destruction.
class SavedFlags {
 public:
  ~SavedFlags() {
    for (const auto& [node, wanted] : before_) node->needs_gradient = wanted;
  }
  void clear(Node* node) {
    if (before_.emplace(node, node->needs_gradient).second) node->needs_gradient = false;
  }

 private:
  std::unordered_map<Node*, bool> before_;
};

}  // namespace

// A recorded reverse sweep over the operations after `before`, with respect to one input; empty if
// no gradient reaches it.
Variable Tape::pull_back(Operation* before, const std::vector<Variable>& outputs,
                         const std::vector<Variable>& cotangents, const Variable& input) {
  Operation* const newest = last_;
  restore_values(before, [](const Operation&) { return true; });
  SavedFlags wanted;
  for (const Variable& output : outputs) wanted.clear(output.node());
  for (Operation* op = newest; op != before; op = op->previous_) {
    wanted.clear(op->output().node());
    for (int i = 0; i < op->inputs().second; ++i) {
      if (op->inputs().first[i].recorded()) wanted.clear(op->inputs().first[i].node());
    }
  }
  input.node()->needs_gradient = true;
  for (Operation* op = before ? before->next_ : first_; op; op = op->next_) {
    bool reaches = op->output().node()->needs_gradient;
    for (int i = 0; i < op->inputs().second; ++i)
      reaches = reaches || op->inputs().first[i].needs_gradient();
    op->output().node()->needs_gradient = reaches;
  }
  RecordedSweep sweep(*this);
  for (std::size_t i = 0; i < outputs.size(); ++i)
    sweep.add(Operand(outputs[i], Operand::Save::nothing, *this), cotangents[i]);
  sweep_back(sweep, newest, before,
             [](Operation& op, bool) { clear_contributions(op.output().node()); });
  if (!input.node()->contributions) return {};
  return detail::take_contributions(input.node(), input.layout());
}

void Tape::check_directions(const std::vector<Variable>& inputs,
                            const std::vector<Variable>& directions) const {
  if (directions.size() != inputs.size())
    fail<TapeError>("tangent: {} directions for {} inputs", directions.size(), inputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Variable &input = inputs[i], &direction = directions[i];
    if (!input || input.node()->tape != id_ || input.node()->computed || input.node()->in_parts ||
        !(input.layout() == input.node()->layout)) {
      fail<TapeError>("tangent: input {} is not a whole watched value or parameter of this tape",
                      i);
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (inputs[j].node() == input.node())
        fail<TapeError>("tangent: inputs {} and {} are the same", j, i);
    }
    if (!direction) continue;
    if (direction.shape() != input.shape()) {
      fail<ShapeError>("tangent: direction {} has shape {} but its input has shape {}", i,
                       direction.shape(), input.shape());
    }
    if (direction.dtype() != input.dtype()) {
      fail<DTypeError>("tangent: direction {} is {} but its input is {}", i,
                       name(direction.dtype()), name(input.dtype()));
    }
  }
}

std::vector<Variable> Tape::tangent(const std::vector<Variable>& outputs,
                                    const std::vector<Variable>& inputs,
                                    const std::vector<Variable>& directions,
                                    const TangentOptions& options) {
  check_directions(inputs, directions);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i]) fail<TapeError>("tangent: output {} is an empty Variable", i);
  }
  check_parameters("tangent");
  const Busy busy(*this);
  TangentSweep sweep(
      *this, options.create_graph ? TangentSweep::Keep::records : TangentSweep::Keep::nothing);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (directions[i]) sweep.seed(inputs[i], directions[i]);
  }
  const Current recording(this);
  sweep.run(nullptr);
  std::vector<Variable> results;
  for (const Variable& output : outputs) {
    const Variable tangent = sweep.tangent(output);
    if (!tangent) {
      results.emplace_back(Tensor::zeros(output.shape(), output.dtype()));
    } else {
      results.push_back(options.create_graph ? tangent : tangent.detach());
    }
  }
  return results;
}

}  // namespace hindsight
