#include <hindsight/autograd/derivatives/forward_sweep.h>
#include <hindsight/autograd/derivatives/recorded_sweep.h>
#include <hindsight/autograd/ops/apply.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/sequence.h>

namespace hindsight {

void TangentSweep::seed(const Variable& input, const Variable& tangent) {
  tangents_[input.node()] = contiguous(tangent);
}

Variable TangentSweep::tangent(const Node* node, const Layout& region) const {
  const auto found = tangents_.find(node);
  if (found != tangents_.end()) return detail::part_of(found->second, region);
  return outer_ ? outer_->tangent(node, region) : Variable();
}

void TangentSweep::set(const Operand& output, const Variable& tangent) {
  const Node* node = output.node();
  if (node->in_parts) return set_part(output, tangent);
  if (output.whole()) {
    tangents_[node] = contiguous(tangent);
  } else if (tangent.node()->layout == node->layout && tangent.layout() == output.layout()) {
    tangents_[node] = Variable(tangent.node(), node->layout);  // with the same padding
  } else {
    tangents_[node] = assemble(node->shape(), {output.layout()}, {tangent});
  }
}

// Parts whose tangent is never set are zero.
void TangentSweep::set_part(const Operand& output, const Variable& tangent) {
  const Node* node = output.node();
  Variable& whole = tangents_[node];
  if (!whole) whole = detail::empty_sequence(node->shape(), node->dtype);
  detail::put_part(Variable(whole.node(), output.layout()), tangent);
}

// A transposed backward may read any input and, if that was released, the values that it is
// computed from.
void TangentSweep::find_missing(Operation* before) {
  missing_ =
      missing_values(tape_, before, [](const Operation& op) { return !op.jvp_reads_only_saved(); });
}

void TangentSweep::restore(Operation& operation) {
  if (!missing_.count(operation.output().node())) return;
  tape_.restored_.push_back(operation.output().variable());
  operation.run();
}

void TangentSweep::run(Operation* before) {
  find_missing(before);
  Operation* const end = tape_.last_;
  const auto drop_after = [&](const Operation* last) {
    while (tape_.last_ != last) tape_.drop(tape_.last_);
  };
  if (end == before) return;
  const std::size_t restored = tape_.restored_.size();
  try {
    for (Operation* op = before ? before->next_ : tape_.first_;; op = op->next_) {
      restore(*op);
      Operation* const mark = tape_.last_;
      const std::size_t held = tape_.restored_.size();
      op->jvp(*this);
      if (keep_ == Keep::nothing) {
        drop_after(mark);
        tape_.restored_.resize(held);
      }
      if (op == end) return;
    }
  } catch (...) {
    drop_after(end);  // the tape stays usable
    tape_.restored_.resize(restored);
    throw;
  }
}

// The backward function computes v = J^T u. It is recorded once, for a dummy u that is never read,
// and the gradient of <v, x'> with respect to u is J x' (the double-backward trick).
void TangentSweep::transpose(Operation& operation) {
  if (!moves(operation)) return;
  const Operation::InProgress within(operation);
  Operation* const mark = tape_.last_;
  const Operand& output = operation.output();
  const Variable u = tape_.watch(Tensor::zeros(output.shape(), output.node()->dtype));
  CollectingSweep sweep(tape_, u);
  operation.backward(sweep);
  std::vector<Variable> gradients, tangents;
  for (const CollectingSweep::Propagated& p : sweep.propagated()) {
    const Variable along = tangent(*p.input);
    if (!along || along.shape().elements() == 0) continue;
    if (p.gradient.node()->tape != tape_.id()) throw_not_differentiable(operation);
    gradients.push_back(p.gradient);
    tangents.push_back(along);
  }
  const Variable result = tape_.pull_back(mark, gradients, tangents, u);
  if (result) set(output, result);
}

}  // namespace hindsight
