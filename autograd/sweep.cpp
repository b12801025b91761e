#include <hindsight/autograd/finite.h>
#include <hindsight/autograd/profile.h>
#include <hindsight/autograd/reduce.h>
#include <hindsight/autograd/shape_ops.h>
#include <hindsight/autograd/structural.h>
#include <hindsight/autograd/weight_gradient.h>

namespace hindsight {

void Sweep::through(Operation& operation) {
  const Operation::InProgress within(operation);
  const ProfileTimer timer;
  if (!recorded_ && !finite_checks()) {
    operation.backward(*this);
    return timer.swept(operation);
  }
  const PlaceGuard there(operation.place());
  operation.backward(*this);
  timer.swept(operation);
  if (!recorded_) check_finite_gradients(operation);
}

Gradient::Target Sweep::target(const Operand& input) {
  Node* node = input.node();
  if (node->use && node->use->leaf != node && !node->gradient->allocated()) {
    node->use->place_gradient(node->gradient, node->shape);
  }
  return node->gradient->target(input.layout(), node->shape, node->dtype);
}

Tensor Sweep::gradient(const Operand& output) {
  const Node* node = output.node();
  return node->gradient->read(output.layout(), node->shape, node->dtype);
}

Variable Sweep::gradient_variable(const Operand& output) {
  if (handed_) return gradient_;
  return recorded_ ? take_contributions(output.node(), output.layout())
                   : Variable(gradient(output));
}

void Sweep::add(const Operand& input, const Variable& gradient) {
  if (!input.wanted()) return;
  if (gradient.shape() != input.shape()) return add(input, sum_to(gradient, input.shape()));
  Node* node = input.node();
  if (gradient.dtype() != node->dtype) {
    fail<DTypeError>("backward: a {} gradient for a {} value of shape {}", name(gradient.dtype()),
                     name(node->dtype), input.shape());
  }
  if (handed_) return handed_->push_back({&input, gradient});
  if (recorded_) return add_contribution(node, input.layout(), gradient);
  // The first gradient of a whole value is taken over as it is when nobody else holds it.
  const bool whole = input.layout() == Layout(node->shape);
  if (whole && node->gradient == &node->own_gradient && !node->use && node->gradient->empty() &&
      gradient.node()->handles == 1 && gradient.layout().contiguous()) {
    const Tensor values = gradient.value();
    gradient.node()->value.reset();
    if (values.buffer().unique()) return node->gradient->adopt(values);
    gradient.node()->value = values.buffer();
  }
  const Gradient::Target to = target(input);
  copy(gradient.value(), node->gradient->memory(input.layout(), node->dtype), to.accumulate);
}

void Operation::fail_in_progress() const {
  const std::string place = place_.to_string();
  fail<TapeError>(
      "{}{}{}: a derivative asked for while this operation is being swept leads through the "
      "operation "
      "itself",
      name(), place.empty() ? "" : " in ", place);
}

void check_gradient(const Operation& operation, int i, const Variable& gradient) {
  const auto [inputs, count] = operation.inputs();
  if (i < 0 || i >= count) {
    fail<IndexError>("{}: its backward function gave a gradient for input {} of {}",
                     operation.name(), i, count);
  }
  if (!gradient) {
    fail<ShapeError>("{}: its backward function gave an empty Variable for input {} of shape {}",
                     operation.name(), i, inputs[i].shape());
  }
  if (!broadcasts_to(inputs[i].shape(), gradient.shape())) {
    fail<ShapeError>(
        "{}: its backward function gave a gradient of shape {} for input {} of shape {}",
        operation.name(), gradient.shape(), i, inputs[i].shape());
  }
  if (gradient.dtype() != inputs[i].node()->dtype) {
    fail<DTypeError>("{}: its backward function gave a {} gradient for input {}, which is {}",
                     operation.name(), name(gradient.dtype()), i, name(inputs[i].node()->dtype));
  }
}

void refuse_again(const Operation& operation) {
  fail<TapeError>(
      "{}: cannot be differentiated again: what it hands back to an input is not computed from its "
      "gradient with operations on Variables",
      operation.name());
}

void add_contribution(Node* node, const Layout& region, const Variable& value) {
  node->contributions =
      new (pool::allocate(sizeof(Contribution))) Contribution{region, value, node->contributions};
}

namespace {

void destroy(Contribution* c) {
  c->~Contribution();
  pool::release(c, sizeof(Contribution));
}

}  // namespace

Variable part_of(const Variable& whole, const Layout& region) {
  const Variable dense = contiguous(whole);
  Layout part = region;
  part.offset += dense.layout().offset;
  return {dense.node(), part};
}

void clear_contributions(Node* node) {
  while (Contribution* c = node->contributions) {
    node->contributions = c->next;
    destroy(c);
  }
}

Variable take_contributions(Node* node, const Layout& region) {
  const Layout whole(node->shape);
  const Size columns = node->shape.rank() == 0 ? 1 : std::max<Size>(1, node->shape.back());
  Gradient::Rectangle wanted;
  const bool regular = Gradient::rectangle_of(region, columns, &wanted);
  Variable sum;
  const auto add = [&](const Variable& v) { sum = sum ? Variable(sum + v) : v; };
  std::vector<Layout> regions;  // to be put together into the whole
  std::vector<Variable> parts;
  for (Contribution** link = &node->contributions; *link;) {
    Contribution* c = *link;
    Gradient::Rectangle other;
    if (c->region == region) {
      add(c->value);
      if (node->keep_gradient) {
        link = &c->next;
        continue;
      }
    } else if (c->region == whole) {
      add(part_of(c->value, region));
      link = &c->next;  // other parts may be asked for too
      continue;
    } else if (regular && Gradient::rectangle_of(c->region, columns, &other) &&
               wanted.disjoint(other)) {
      link = &c->next;
      continue;
    } else {
      regions.push_back(c->region);
      parts.push_back(c->value);
      if (!(region == whole) ||
          node->keep_gradient) {  // stays, as it may reach outside of the region
        link = &c->next;
        continue;
      }
    }
    *link = c->next;
    destroy(c);
  }
  if (!parts.empty()) add(part_of(assemble(node->shape, regions, parts), region));
  return sum ? sum : Variable(Tensor::zeros(region.shape, node->dtype));
}

}  // namespace hindsight
