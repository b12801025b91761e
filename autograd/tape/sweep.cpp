#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/parameter_use.h>
#include <hindsight/autograd/tape/sweep.h>

#include <algorithm>

namespace hindsight {

void ReverseSweep::through(Operation& operation) {
  const Operation::InProgress within(operation);
  const OperationScope scope;
  if (!recorded_ && !scope.observed()) return operation.backward(*this);
  const ScopeGuard there(operation.place());
  operation.backward(*this);
  scope.swept(operation, !recorded_);
}

Gradient::Target ReverseSweep::target(const Operand& input) {
  Node* node = input.node();
  Gradient& whole = node->made_gradient();
  if (node->use && node->use->leaf != node && !whole.allocated())
    node->use->place_gradient(&whole, node->shape());
  if (input.whole() && !whole.allocated()) return whole.first_target(node->bytes());
  return whole.target(input.layout(), node->shape(), node->dtype);
}

Tensor ReverseSweep::gradient(const Operand& output) {
  Node* node = output.node();
  return node->made_gradient().read(output.layout(), node->shape(), node->dtype);
}

std::unique_ptr<ForwardSweep> ReverseSweep::forward() const { return nullptr; }

void ReverseSweep::check_dtype(const Operand& input, const Variable& gradient) {
  if (gradient.dtype() == input.node()->dtype) return;
  fail<DTypeError>("backward: a {} gradient for a {} value of shape {}", name(gradient.dtype()),
                   name(input.node()->dtype), input.shape());
}

void MemorySweep::add(const Operand& input, const Variable& gradient) {
  if (!input.needs_gradient()) return;
  check_dtype(input, gradient);
  if (gradient.shape() != input.shape())
    return add(input, Variable(sum_to(gradient.value(), input.shape())));
  Node* node = input.node();
  // The first gradient of a whole value is adopted without a copy if nothing else refers to it.
  if (input.may_adopt_gradient() && gradient.node()->handles == 1 &&
      gradient.layout().contiguous()) {
    const Tensor values = gradient.value();
    gradient.node()->value.reset();
    if (values.buffer().unique()) return node->made_gradient().adopt(values);
    gradient.node()->value = values.buffer();
  }
  const Gradient::Target to = target(input);
  copy(gradient.value(), node->gradient->memory(input.layout(), node->dtype), to.accumulate);
}

bool ForwardSweep::moves(const Operation& operation) const {
  const auto [inputs, count] = operation.inputs();
  return std::any_of(inputs, inputs + count,
                     [&](const Operand& input) { return input.node() && tangent(input); });
}

void add_contribution(Node* node, const Layout& region, const Variable& value) {
  node->contributions = new (pool::allocate(sizeof(Contribution), 0))
      Contribution{region, value, node->contributions};
}

void drop_contribution(Contribution* contribution) {
  contribution->~Contribution();
  pool::release(contribution, sizeof(Contribution), 0);
}

void clear_contributions(Node* node) {
  while (Contribution* c = node->contributions) {
    node->contributions = c->next;
    drop_contribution(c);
  }
}

}  // namespace hindsight
