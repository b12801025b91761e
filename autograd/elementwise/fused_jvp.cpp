#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/elementwise/loop_nest.h>
#include <hindsight/autograd/tape/observer.h>
#include <hindsight/autograd/tape/tape.h>

namespace hindsight::detail {

/// The tangent of a recorded expression, `of`, which the tape frees after it. Operands are in the
/// order of tangent_loops.h.
class TangentOperation final : public FusedOperation {
 public:
  TangentOperation(const FusedOperation& of, const Variable* tangents, const Variable* saved,
                   Tape& tape)
      : FusedOperation(of.kernels_->tangent, nullptr, of.program_),
        of_(of),
        own_(tape, of.kernels_->tangent->leaves) {
    operands_ = own_.data();
    const auto keep = [&](int i) {
      return kernels_->reads_leaf[i] ? Operand::Save::value : Operand::Save::nothing;
    };
    const int leaves = of.kernels_->leaves;
    for (int k = 0; k < leaves; ++k) {
      own_[2 * k] = Operand(of.operands_[k].variable(), keep(2 * k), tape);
      if (tangents[k]) own_[2 * k + 1] = Operand(tangents[k], keep(2 * k + 1), tape);
    }
    for (int q = 0; q < of.kernels_->saved; ++q)
      own_[2 * leaves + q] = Operand(saved[q], Operand::Save::value, tape);
  }

  void start(const Variable& output) const { compute(*output.node(), output.node()->value, {}); }

  // The saved values depend on the leaves, which are inputs, too: they are recomputed first.
  void run_from_inputs() override {
    of_.run_saved();
    run();
  }
  void backward(ReverseSweep& sweep) override {
    if (sweep.recorded()) return backward_recorded(sweep);
    FusedOperation::backward(sweep);
  }

 private:
  void backward_recorded(ReverseSweep& sweep) const;

  const FusedOperation& of_;
  Operands own_;
};

// The expression's backward, recorded, computes the gradients of the tangents; their change along
// the tangents gives the gradients of the leaves. Both use copies of the leaves, so that the seeded
// tangents do not affect anything else.
void TangentOperation::backward_recorded(ReverseSweep& sweep) const {
  Tape& tape = *Tape::current();
  const int leaves = of_.kernels_->leaves;
  std::array<Variable, kMaxLeaves> copies, gradients;
  const std::unique_ptr<ForwardSweep> along = sweep.forward();
  for (int k = 0; k < leaves; ++k) {
    const auto i = static_cast<std::size_t>(k);
    const Operand& tangent = operands_[2 * k + 1];
    const Variable leaf = operands_[2 * k].variable();
    copies[i] = tangent.node() ? Variable(1.0 * leaf) : leaf;
    if (tangent.node()) along->seed(copies[i], tangent.variable());
  }
  Operation* const mark = tape.newest();
  of_.kernels_->differentiate(program_, copies.data(), sweep.gradient_variable(output_),
                              gradients.data());
  along->run(mark);
  for (int k = 0; k < leaves; ++k) {
    const Variable& gradient = gradients[static_cast<std::size_t>(k)];
    if (operands_[2 * k + 1].node()) sweep.add(operands_[2 * k + 1], gradient);
    if (const Variable change = along->tangent(gradient)) sweep.add(operands_[2 * k], change);
  }
}

// Saved values are stored in planes, row by row in the order of the loops that computed them.
Variable FusedOperation::saved_values(int q) const {
  const Shape& shape = output_.shape();
  const LoopNest loops =
      make_loop_nest(shape, kernels_->leaves, [&](int k) { return layout_of(k); });
  const SavedLayout planes(loops, kernels_->saved);
  Layout layout(shape);
  Size inside = 1, rows = 1;  // elements of a row, then rows, within the axes seen so far
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    const bool in_row = inside < loops.length();
    layout.set_stride(axis, in_row ? inside : rows * planes.row);
    (in_row ? inside : rows) *= shape[axis];
  }
  layout.offset = q * planes.plane;
  return Variable(Tensor(saved_, layout, output_.node()->dtype));
}

void FusedOperation::jvp(ForwardSweep& sweep) {
  if (!kernels_->tangent) return sweep.transpose(*this);
  std::array<Variable, kMaxLeaves> tangents, saved;
  bool moves = false;
  for (int k = 0; k < kernels_->leaves; ++k) {
    const auto i = static_cast<std::size_t>(k);
    tangents[i] = sweep.tangent(operands_[k]);
    moves = moves || tangents[i];
  }
  if (!moves || output_.shape().elements() == 0) return;
  const OperationScope scope;
  for (int q = 0; q < kernels_->saved; ++q) saved[static_cast<std::size_t>(q)] = saved_values(q);
  const Variable output = Variable::make(output_.shape(), output_.node()->dtype);
  Tape& tape = *Tape::current();
  auto tangent = new_operation<TangentOperation>(tape, *this, tangents.data(), saved.data(), tape);
  tangent->start(output);
  record(std::move(tangent), output);
  scope.computed(kernels_->name, output);
  sweep.set(output_, output);
}

}  // namespace hindsight::detail
