#include "adbench_model.h"

#include <hindsight/autograd/autograd.h>
#include <hindsight/nn/init.h>

#include <algorithm>

namespace hindsight::bench {

DiagonalLstmCell::DiagonalLstmCell(Size, Size hidden, Rng&)
    : input_weight(parameter("input_weight", nn::init::zeros({2, hidden}))),
      input_bias(parameter("input_bias", nn::init::zeros({2, hidden}))),
      ingate_weight(parameter("ingate_weight", nn::init::zeros({hidden}))),
      ingate_bias(parameter("ingate_bias", nn::init::zeros({hidden}))),
      change_weight(parameter("change_weight", nn::init::zeros({hidden}))),
      change_bias(parameter("change_bias", nn::init::zeros({hidden}))) {}

Variable DiagonalLstmCell::project(const Variable& inputs) const {
  const Variable gates = sigmoid(unsqueeze(inputs, 2) * input_weight + input_bias);
  return reshape(gates, {inputs.size(0), inputs.size(1), -1});
}

nn::State DiagonalLstmCell::step(const Variable& gates, const nn::State& state) const {
  const auto [f, o] = chunk<2>(gates);
  const Variable& h = state[0];
  const Variable c = f * state[1] + sigmoid(h * ingate_weight + ingate_bias) *
                                        tanh(h * change_weight + change_bias);
  return {o * tanh(c), c};
}

nn::Widths DiagonalLstmCell::state_sizes() const {
  const Size hidden = ingate_bias.shape()[0];
  return {hidden, hidden};
}

AdbenchModel::AdbenchModel(const AdbenchProblem& p)
    : layers_(child("layers", nn::Recurrent<DiagonalLstmCell>(
                                  {.input = p.bits, .hidden = p.bits, .layers = p.layers}, rng_))),
      in_weight_(parameter("in_weight", nn::init::zeros({p.bits}))),
      out_weight_(parameter("out_weight", nn::init::zeros({p.bits}))),
      out_bias_(parameter("out_bias", nn::init::zeros({p.bits}))),
      parameters_(parameters()) {
  to(DType::f64);
  const double* from = p.main.data();
  for_each_row([&](const Parameter& parameter, Size row) {
    if (parameter.data() == in_weight_.data()) from = p.extra.data();
    std::copy_n(from, p.bits, parameter.value().data<double>() + row * p.bits);
    from += p.bits;
  });
  const Variable state = Tensor::from(p.state, {p.layers, 2, 1, p.bits}, DType::f64);
  for (Size layer = 0; layer < p.layers; ++layer)
    initial_.push_back({state[layer][0], state[layer][1]});
  const Variable characters = Tensor::from(p.sequence, {p.characters, 1, p.bits}, DType::f64);
  inputs_ = slice(characters, 0, 0, p.characters - 1);
  next_ = slice(characters, 0, 1, p.characters - 1);
}

/// Calls f on every row of numbers of the parameters, in the file's order.
void AdbenchModel::for_each_row(const std::function<void(const Parameter&, Size row)>& f) const {
  for (Size layer = 0; layer < layers_.options().layers; ++layer) {
    const DiagonalLstmCell& cell = layers_.cell(layer);
    f(cell.input_weight, 0);
    f(cell.ingate_weight, 0);
    f(cell.input_weight, 1);
    f(cell.change_weight, 0);
    f(cell.input_bias, 0);
    f(cell.ingate_bias, 0);
    f(cell.input_bias, 1);
    f(cell.change_bias, 0);
  }
  for (const Parameter& parameter : {in_weight_, out_weight_, out_bias_}) f(parameter, 0);
}

Variable AdbenchModel::objective() {
  const Variable outputs = layers_(inputs_ * in_weight_, initial_).outputs;
  const Variable p = outputs * out_weight_ + out_bias_;
  const Variable total = sum(exp(p), {-1}, KeepDims::yes);
  return -mean(next_ * (p - log(total + 2)));
}

double AdbenchModel::gradient(std::vector<double>* gradient) {
  for (Parameter& parameter : parameters_) parameter.clear_gradient();
  Tape tape;
  const Variable loss = objective();
  const double value = loss.item();
  tape.backward(loss);
  gradient->clear();
  for_each_row([&](const Parameter& parameter, Size row) {
    const Size bits = out_bias_.shape()[0];
    const double* from = parameter.gradient().data<double>() + row * bits;
    gradient->insert(gradient->end(), from, from + bits);
  });
  return value;
}

}  // namespace hindsight::bench
