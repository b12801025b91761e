#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/reduce.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/mlstm.h>

#include <cmath>

namespace hindsight::nn {
namespace {

/// The last axis as several: (..., H) -> (..., N, d).
Variable divided(const Variable& x, const Shape& last) {
  Shape shape = x.shape();
  shape.erase(x.rank() - 1);
  for (int axis = 0; axis < last.rank(); ++axis) shape.push_back(last[axis]);
  return reshape(x, shape);
}

}  // namespace

MlstmCell::MlstmCell(Size input, Size hidden, Rng& rng, const MlstmOptions& options)
    : hidden_(hidden), heads_(options.heads) {
  if (heads_ < 1 || hidden % heads_ != 0)
    fail<OptionError>("MlstmCell: {} heads do not divide a hidden size of {}", heads_, hidden);
  width_ = hidden / heads_;
  const Size gates = 4 * hidden, rows = gates + 2 * heads_;  // the first row of i, and all rows
  const double bound = 1 / std::sqrt(static_cast<double>(hidden));
  const Tensor weight = init::uniform({rows, input}, bound, rng), bias = init::zeros({rows});
  weight.view(weight.layout().slice(0, gates, 2 * heads_)).fill(0);
  for (Size head = 0; head < heads_; ++head) {
    const double place =
        heads_ > 1 ? static_cast<double>(head) / static_cast<double>(heads_ - 1) : 0;
    bias.set(gates + head, 0.1 * rng.normal());
    bias.set(gates + heads_ + head, 3 + 3 * place);
  }
  weight_ih = parameter("weight_ih", weight);
  bias_ih = parameter("bias_ih", bias);
}

Variable MlstmCell::project(const Variable& inputs) const {
  return linear(inputs, weight_ih, bias_ih);
}

Variable MlstmCell::project(const Indices& symbols) const {
  return take(transpose(weight_ih), symbols) + bias_ih;
}

State MlstmCell::step(const Variable& px, const State& state) const {
  const Size rows = px.size(0);
  const Variable k = divided(slice(px, 1, hidden_, hidden_), {heads_, width_});
  const Variable v = divided(slice(px, 1, 2 * hidden_, hidden_), {heads_, width_});
  const auto [i, f] = chunk<2>(slice(px, 1, 4 * hidden_, 2 * heads_));
  const Variable kept = log_sigmoid(f) + state[2];
  const Variable m = maximum(kept, i);
  const Variable forget = unsqueeze(exp(kept - m), -1);
  const Variable key = unsqueeze(exp(i - m), -1) * k * (1 / std::sqrt(static_cast<double>(width_)));
  const Variable C = unsqueeze(forget, -1) * divided(state[0], {heads_, width_, width_}) +
                     unsqueeze(key, -1) * unsqueeze(v, -2);
  const Variable n = forget * divided(state[1], {heads_, width_}) + key;
  return {reshape(C, {rows, hidden_ * width_}), reshape(n, {rows, hidden_}), m};
}

Variable MlstmCell::output(const Variable& px, const State& next) const {
  constexpr double kMost = 80;  // exp(80) is finite in float32
  const Variable q = divided(slice(px, -1, 0, hidden_), {heads_, width_});
  const Variable o = divided(slice(px, -1, 3 * hidden_, hidden_), {heads_, width_});
  const Variable memory = divided(next[0], {heads_, width_, width_});
  const Variable read = squeeze(matmul(unsqueeze(q, -2), memory), -2);  // C^T q
  const Variable nq = sum(divided(next[1], {heads_, width_}) * q, {-1}, KeepDims::yes);
  const Variable normalizer = maximum(abs(nq), exp(minimum(-unsqueeze(next[2], -1), kMost)));
  Shape shape = px.shape();
  shape.set(shape.rank() - 1, hidden_);
  return reshape(sigmoid(o) * read / normalizer, shape);
}

}  // namespace hindsight::nn
