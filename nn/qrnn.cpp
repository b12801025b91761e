#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/qrnn.h>

#include <cmath>

namespace hindsight::nn {

QrnnCell::QrnnCell(Size input, Size hidden, Rng& rng, const QrnnOptions& options)
    : LinearCell(hidden), window_(options.window) {
  if (window_ != 1 && window_ != 2)
    fail<OptionError>("QrnnCell: window {}; it must be 1 or 2", window_);
  const double bound = 1 / std::sqrt(static_cast<double>(window_ * input));
  weight_ih = parameter("weight_ih",
                        init::uniform({Shape{3, window_, hidden}.elements(), input}, bound, rng));
  bias_ih = parameter("bias_ih", init::uniform({3 * hidden}, bound, rng));
}

// px: what x_t adds to z, f, o of this step, then of the next one.
Variable QrnnCell::project(const Variable& inputs) const {
  return linear(inputs, weight_ih, pad(bias_ih, 0, 0, (window_ - 1) * 3 * width()));
}

Variable QrnnCell::project(const Indices& symbols) const {
  return take(transpose(weight_ih), symbols) + pad(bias_ih, 0, 0, (window_ - 1) * 3 * width());
}

// The last part is the u that a step has read, for output().
State QrnnCell::begin(const State& initial) const {
  State state = initial;
  if (window_ == 2) state.push_back(initial[1]);
  return state;
}

Variable QrnnCell::preactivation(Size gate, const Variable& px, const State& state, int u) const {
  const Variable now = slice(px, -1, gate * width(), width());
  return window_ == 1 ? now : Variable(now + slice(state[u], -1, gate * width(), width()));
}

Variable QrnnCell::next_u(const Variable& px) const {
  return slice(px, -1, 3 * width(), 3 * width());
}

LinearCell::Coefficients QrnnCell::coefficients(const Variable& px, const State& state) const {
  const Variable f = sigmoid(preactivation(1, px, state, 1));
  return {f, (1 - f) * tanh(preactivation(0, px, state, 1))};
}

State QrnnCell::step(const Variable& px, const State& state) const {
  const State next = LinearCell::step(px, state);
  return window_ == 1 ? next : State{next[0], next_u(px), state[1]};
}

State QrnnCell::scan(const Variable& px, const State& initial) const {
  if (window_ == 1) return LinearCell::scan(px, initial);
  const Variable u = next_u(px), first = unsqueeze(initial[1], 0);
  const Variable read =
      px.size(0) == 1 ? first : concat({first, slice(u, 0, 0, px.size(0) - 1)}, 0);
  const State all = LinearCell::scan(px, {initial[0], read});
  return {all[0], u, read};
}

Variable QrnnCell::output(const Variable& px, const State& next) const {
  return sigmoid(preactivation(2, px, next, 2)) * next[0];
}

Widths QrnnCell::state_sizes() const {
  return window_ == 1 ? Widths{width()} : Widths{width(), 3 * width()};
}

}  // namespace hindsight::nn
