#include <hindsight/autograd/tape/parameter_use.h>
#include <hindsight/autograd/tape/tape.h>
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/matrix_product.h>

namespace hindsight {

static_assert(sizeof(Node) <= 128, "a node fits two cache lines");

Node* Node::make(DType dtype, const Layout& layout) {
  return new (pool::allocate(sizeof(Node), 0)) Node(dtype, layout);
}

void Node::make_gradient() { gradient = new (pool::allocate(sizeof(Gradient), 0)) Gradient; }

void Node::free_gradient() {
  gradient->~Gradient();
  pool::release(std::exchange(gradient, nullptr), sizeof(Gradient), 0);
}

void Node::destroy(Node* node) {
  node->release_gradient();
  if (node->contributions) clear_contributions(node);
  node->~Node();
  pool::release(node, sizeof(Node), 0);
}

void Node::unused() {
  value.reset();
  if (records == 0) destroy(this);
}

void Variable::throw_empty(const char* op) { fail("{}: the Variable is empty", op); }

void throw_empty_input(const char* op, int input) {
  fail("{}: input {} is an empty Variable", op, input);
}

Variable Variable::make(const Shape& shape, DType dtype) {
  const Layout layout(shape);  // first, because it throws for too many elements
  const Variable result(Node::make(dtype, layout), layout);
  result.node()->value = Buffer(result.node()->bytes());
  return result;
}

Variable Variable::make_padded(const Shape& shape, DType dtype) {
  const int last = shape.rank() - 1;
  Shape padded = shape;
  if (last > 0 && shape[last] > 0) padded.set(last, padded_columns(shape[last], dtype));
  const Variable whole = make(padded, dtype);
  return last < 0 ? whole : Variable(whole.node(), whole.layout().slice(last, 0, shape[last]));
}

Variable::Variable(const Tensor& value) : layout_(value.layout()) {
  if (!value) fail("Variable: the Tensor is empty");
  node_ = Node::make(value.dtype(), value.layout());
  node_->value = value.buffer();
  node_->add_handle();
}

Variable::Variable(const Parameter& parameter) {
  parameter.check_given("Variable");
  if (Tape* tape = Tape::current()) {
    Node* const leaf = tape->use_of(parameter).leaf;
    *this = Variable(leaf, leaf->layout);
  } else {
    *this = Variable(parameter.value());
  }
}

bool Variable::recorded() const {
  const Tape* tape = Tape::current();
  return node_ && tape && node_->tape == tape->id();
}

Variable Variable::operator[](Size t) const {
  if (!node_) throw_empty("operator[]");
  if (rank() == 0) fail<ShapeError>("operator[]: a scalar has no axis to index");
  if (t < 0 || t >= size(0)) {
    fail<IndexError>("operator[]: index {} is out of range for shape {}", t, shape());
  }
  return {node_, layout_.select(0, t)};
}

}  // namespace hindsight
