#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/truncated_bptt.h>

#include <algorithm>

namespace hindsight::nn {
namespace {

/// Joins and slices of inputs along the axis of time.
struct Time {
  int axis;

  Variable join(const Variable& a, const Variable& b) const { return concat({a, b}, axis); }
  Variable part(const Variable& x, Size first, Size count) const {
    return slice(x, axis, first, count);
  }
  Variable kept(const Variable& x, Size first, Size count) const {
    return Variable(part(x, first, count).value().contiguous_copy());
  }

  Indices join(const Indices& a, const Indices& b) const {
    Shape shape = a.shape();
    shape.set(axis, a.shape()[axis] + b.shape()[axis]);
    const Indices result(shape);
    const Size rows = axis == 0 ? 1 : shape[0];
    const Size of_a = a.elements() / rows, of_b = b.elements() / rows;
    for (Size row = 0; row < rows; ++row) {
      std::int64_t* to = result.data() + row * (of_a + of_b);
      std::copy_n(a.data() + row * of_a, of_a, to);
      std::copy_n(b.data() + row * of_b, of_b, to + of_a);
    }
    return result;
  }
  Indices part(const Indices& x, Size first, Size count) const {
    if (axis == 0) return x.rows(first, count);
    const Indices result(Shape{x.shape()[0], count});
    for (Size row = 0; row < x.shape()[0]; ++row)
      std::copy_n(x.row(row).data() + first, count, result.data() + row * count);
    return result;
  }
  Indices kept(const Indices& x, Size first, Size count) const {
    return part(x, first, count);  // Indices are not written after they are made
  }
};

States constants(const States& states) {
  States result;
  for (const State& state : states) result.push_back(state.detach());
  return result;
}

}  // namespace

TruncatedBptt::TruncatedBptt(Unroller& network, const TruncatedBpttOptions& options)
    : network_(network), options_(options) {
  if (options.stride < 1 || options.window < options.stride) {
    fail<OptionError>("TruncatedBptt: window {}, stride {}; 1 <= stride <= window is needed",
                      options.window, options.stride);
  }
  if (network.options().bidirectional || network.options().reverse) {
    fail<OptionError>("TruncatedBptt: a network that reads from the end needs whole sequences");
  }
}

Variable TruncatedBptt::operator()(const Variable& inputs) {
  if (symbols_) fail("TruncatedBptt: a stream of symbols is continued with vectors");
  return next(inputs, &vectors_);
}
Variable TruncatedBptt::operator()(const Indices& symbols) {
  if (vectors_) fail("TruncatedBptt: a stream of vectors is continued with symbols");
  return next(symbols, &symbols_);
}

void TruncatedBptt::reset(const States& states) {
  vectors_ = Variable();
  symbols_ = Indices();
  start_ = end_ = constants(states);
}

template <class Inputs>
Variable TruncatedBptt::next(const Inputs& chunk, Inputs* history) {
  const Time time{network_.options().batch_first ? 1 : 0};
  const Shape& shape = chunk.shape();
  if (shape.rank() < 2 || shape[time.axis] < 1 || shape[time.axis] > options_.stride) {
    fail<ShapeError>("TruncatedBptt: a chunk is {}; 1 to {} time steps along axis {} are needed",
                     shape, options_.stride, time.axis);
  }
  const Inputs all = *history ? time.join(*history, chunk) : chunk;
  const Size steps = all.shape()[time.axis], fresh = shape[time.axis];
  // The first steps run apart, as the next window starts from the state after them.
  const Size left = std::max<Size>(0, steps - (options_.window - options_.stride));
  std::vector<Variable> outputs;
  States states = start_, start = start_;
  for (const auto& [first, count] : {std::pair{Size{0}, left}, std::pair{left, steps - left}}) {
    if (count == 0) continue;
    const Unrolled run = network_(time.part(all, first, count), {.initial = states});
    outputs.push_back(run.outputs);
    states = run.final;
    if (first == 0 && left > 0) start = constants(states);
  }
  Inputs kept = left < steps ? time.kept(all, left, steps - left) : Inputs();
  end_ = constants(states);
  start_ = std::move(start);  // only now, as a run may throw
  *history = std::move(kept);
  const Variable whole = outputs.size() == 1 ? outputs[0] : concat(outputs, time.axis);
  return slice(whole, time.axis, steps - fresh, fresh);
}

}  // namespace hindsight::nn
