#include <hindsight/autograd/derivatives/forward_sweep.h>
#include <hindsight/autograd/derivatives/recorded_sweep.h>
#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/reduce.h>

namespace hindsight {

Variable RecordedSweep::gradient_variable(const Operand& output) {
  return detail::take_contributions(output.node(), output.layout());
}

void RecordedSweep::add(const Operand& input, const Variable& gradient) {
  if (!input.needs_gradient()) return;
  check_dtype(input, gradient);
  add_contribution(input.node(), input.layout(), sum_to(gradient, input.shape()));
}

std::unique_ptr<ForwardSweep> RecordedSweep::forward() const {
  return std::make_unique<TangentSweep>(tape_, TangentSweep::Keep::records);
}

void CollectingSweep::add(const Operand& input, const Variable& gradient) {
  if (!input.needs_gradient()) return;
  check_dtype(input, gradient);
  propagated_.push_back({&input, sum_to(gradient, input.shape())});
}

std::unique_ptr<ForwardSweep> CollectingSweep::forward() const {
  return std::make_unique<TangentSweep>(tape_, TangentSweep::Keep::records);
}

namespace detail {

Variable part_of(const Variable& whole, const Layout& region) {
  const Variable dense = contiguous(whole);
  Layout part = region;
  part.offset += dense.layout().offset;
  return {dense.node(), part};
}

namespace {

/// A sum of Variables; empty if there are none.
class Sum {
 public:
  void add(const Variable& v) { total_ = total_ ? Variable(total_ + v) : v; }
  const Variable& total() const { return total_; }

 private:
  Variable total_;
};

}  // namespace

Variable take_contributions(Node* node, const Layout& region) {
  const Layout& whole = node->layout;
  const Size columns = whole.rank() == 0 ? 1 : std::max<Size>(1, whole.shape.back());
  Gradient::Rectangle wanted, other;
  const bool regular = Gradient::rectangle_of(region, columns, &wanted);
  Sum sum;
  std::vector<Layout> regions;  // to be assembled into the whole
  std::vector<Variable> parts;
  for (Contribution** link = &node->contributions; *link;) {
    Contribution* c = *link;
    bool stays = node->keep_gradient;
    if (c->region == region) {
      sum.add(c->value);
    } else if (c->region == whole) {
      sum.add(part_of(c->value, region));
      stays = true;  // other parts may be requested, too
    } else if (regular && Gradient::rectangle_of(c->region, columns, &other) &&
               wanted.disjoint(other)) {
      stays = true;
    } else {
      regions.push_back(c->region);
      parts.push_back(c->value);
      stays = stays || !(region == whole);  // it may extend beyond the region
    }
    if (stays) {
      link = &c->next;
    } else {
      *link = c->next;
      drop_contribution(c);
    }
  }
  if (!parts.empty()) sum.add(part_of(assemble(whole.shape, regions, parts), region));
  return sum.total() ? sum.total() : Variable(Tensor::zeros(region.shape, node->dtype));
}

}  // namespace detail
}  // namespace hindsight
