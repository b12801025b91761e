#include <hindsight/autograd/elementwise/gradient_sharing.h>

#include <algorithm>

namespace hindsight::detail {
namespace {

/// True if the layout has the output's shape, without broadcast, and contiguous rows.
bool covers(const Layout& layout, const Shape& output) {
  return layout.shape == output && layout.stride(output.rank() - 1) == 1;
}

bool same_strides(const Layout& a, const Layout& b) {
  for (int axis = 0; axis < a.rank(); ++axis) {
    if (a.shape[axis] != 1 && a.stride(axis) != b.stride(axis)) return false;
  }
  return true;
}

bool own_memory(const Node* node) { return !node->parameter_gradient && !node->keep_gradient; }

}  // namespace

SharedGradients::SharedGradients(const Operand* operands, int count, const int* gradient_group,
                                 const Shape& output)
    : operands_(operands), count_(static_cast<std::size_t>(count)) {
  std::fill_n(lender_.data(), count_, static_cast<std::int8_t>(kNone));
  if (output.rank() == 0) return;
  for (std::size_t k = 1; k < count_; ++k) {
    for (std::size_t j = 0; j < k && lender_[k] == kNone; ++j) {
      if (gradient_group[j] != gradient_group[k]) continue;
      if (may_lend(j, k, output)) {
        lender_[k] = static_cast<std::int8_t>(j);
      } else if (may_lend(k, j, output)) {
        lender_[j] = static_cast<std::int8_t>(k);
      }
    }
  }
}

bool SharedGradients::may_lend(std::size_t lender, std::size_t borrower,
                               const Shape& output) const {
  const Operand &from = operands_[lender], &to = operands_[borrower];
  const Node *a = from.node(), *b = to.node();
  for (std::size_t i = 0; i < count_; ++i) {  // one operand is never on both sides
    if (lender_[i] == kNone) continue;
    if (operands_[i].node() == a || operands_[static_cast<std::size_t>(lender_[i])].node() == b)
      return false;
  }
  if (a == b || !from.needs_gradient() || !to.needs_gradient() || !own_memory(a) || !own_memory(b))
    return false;
  if (!covers(from.layout(), output) || !covers(to.layout(), output) ||
      !same_strides(from.layout(), to.layout()))
    return false;
  const Size difference = from.layout().offset - to.layout().offset;
  return difference >= 0 && difference + b->shape().elements() <= a->shape().elements() &&
         alone(lender) && alone(borrower);
}

/// True if no other operand is an overlapping part of the same value.
bool SharedGradients::alone(std::size_t i) const {
  const Node* node = operands_[i].node();
  Gradient::Rectangle mine, other;
  bool known = false;
  for (std::size_t j = 0; j < count_; ++j) {
    if (j == i || operands_[j].node() != node) continue;
    const Size columns = node->shape().back();
    known = known || Gradient::rectangle_of(operands_[i].layout(), columns, &mine);
    if (!known || !Gradient::rectangle_of(operands_[j].layout(), columns, &other) ||
        !mine.disjoint(other))
      return false;
  }
  return true;
}

Size SharedGradients::shift(std::size_t borrower) const {
  const Operand& to = operands_[borrower];
  const Operand& from = operands_[static_cast<std::size_t>(lender_[borrower])];
  return (from.layout().offset - to.layout().offset) * bytes_of(to.node()->dtype);
}

void SharedGradients::share(const bool* accumulates) {
  const auto for_borrowers = [&](auto&& f) {
    for (std::size_t i = 0; i < count_; ++i) {
      if (lender_[i] == kNone) continue;
      f(i, operands_[i], operands_[static_cast<std::size_t>(lender_[i])]);
    }
  };
  for_borrowers([&](std::size_t i, const Operand& to, const Operand& from) {
    const Node* node = to.node();
    int parts = 0;
    bool one_lender = true;
    for (std::size_t j = 0; j < count_; ++j) {
      if (operands_[j].node() != node) continue;
      ++parts;
      one_lender = one_lender && lender_[j] != kNone &&
                   operands_[static_cast<std::size_t>(lender_[j])].node() == from.node() &&
                   shift(j) == shift(i);
    }
    if (one_lender && !accumulates[lender_[i]] &&
        to.node()->made_gradient().may_borrow(*from.node()->gradient, shift(i), to.layout(),
                                              node->shape(), parts))
      return;
    for (std::size_t j = 0; j < count_; ++j) {
      if (operands_[j].node() == node) lender_[j] = kNone;
    }
  });
  for_borrowers([&](std::size_t i, const Operand& to, const Operand& from) {
    to.node()->gradient->borrow(*from.node()->gradient, shift(i), to.layout(), to.node()->shape());
  });
}

}  // namespace hindsight::detail
