#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/min_gru.h>

#include <cmath>

namespace hindsight::nn {

MinGatedCell::MinGatedCell(Size gates, Size input, Size hidden, Rng& rng,
                           const MinGruOptions& options)
    : LinearCell(hidden), positive_(options.positive) {
  const double bound = 1 / std::sqrt(static_cast<double>(input));
  const Size rows = Shape{gates, hidden}.elements();
  weight_ih = parameter("weight_ih", init::uniform({rows, input}, bound, rng));
  if (options.bias) bias_ih = parameter("bias_ih", init::uniform({rows}, bound, rng));
}

Variable MinGatedCell::project(const Variable& inputs) const {
  return bias_ih ? linear(inputs, weight_ih, bias_ih) : matmul(inputs, transpose(weight_ih));
}

Variable MinGatedCell::project(const Indices& symbols) const {
  const Variable rows = take(transpose(weight_ih), symbols);
  return bias_ih ? Variable(rows + bias_ih) : rows;
}

Variable MinGatedCell::written(const Variable& gate, const Variable& px_h) const {
  if (!positive_) return gate * px_h;
  return gate * (relu(px_h) + sigmoid(minimum(px_h, 0)));
}

LinearCell::Coefficients MinGruCell::coefficients(const Variable& px, const State&) const {
  const auto [z, h] = chunk<2>(px);
  return {sigmoid(-z), written(sigmoid(z), h)};
}

// f / (f + i) is the sigmoid of log f - log i, which is exact even where both gates round to zero.
LinearCell::Coefficients MinLstmCell::coefficients(const Variable& px, const State&) const {
  const auto [f, i, h] = chunk<3>(px);
  const Variable ratio = log_sigmoid(f) - log_sigmoid(i);
  return {sigmoid(ratio), written(sigmoid(-ratio), h)};
}

}  // namespace hindsight::nn
