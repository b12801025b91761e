#pragma once
#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/indexing.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/cell.h>
#include <hindsight/nn/init.h>

#include <cmath>

namespace hindsight::nn {

/// Input and recurrent weights of a cell with G gates, in PyTorch's layout and with its names:
/// weight_ih: (G H, I), weight_hh: (G H, R), bias_ih and bias_hh: (G H,), all uniform in
/// [-1/sqrt(H), 1/sqrt(H)). R is the width of the recurrent input, H unless the output is
/// projected.
class GatedCell : public Cell {
 public:
  Variable project(const Variable& inputs) const override {
    return matmul(inputs, transpose(weight_ih));
  }
  Variable project(const Indices& symbols) const override {
    return take(transpose(weight_ih), symbols);
  }

  Parameter weight_ih, weight_hh, bias_ih, bias_hh;

 protected:
  struct Sizes {
    Size gates, input, hidden, recurrent;
    bool bias;
  };
  GatedCell(const Sizes& n, Rng& rng) {
    const double bound = 1 / std::sqrt(static_cast<double>(n.hidden));
    const Size rows = Shape{n.gates, n.hidden}.elements();
    weight_ih = parameter("weight_ih", init::uniform({rows, n.input}, bound, rng));
    weight_hh = parameter("weight_hh", init::uniform({rows, n.recurrent}, bound, rng));
    if (!n.bias) return;
    bias_ih = parameter("bias_ih", init::uniform({rows}, bound, rng));
    bias_hh = parameter("bias_hh", init::uniform({rows}, bound, rng));
  }

  /// Returns the state f(px + h W_hh^T + bias), where the sum is a delayed expression, (B, G H).
  /// px: (B, G H), h = state[0]: (B, R). The bias, b_ih + b_hh: (G H,), is part `parts` of the
  /// state if with_bias() appended it, once for each sequence, and is then appended to the result;
  /// in a step without begin() it is computed here.
  template <class F>
  State with_preactivations(const Variable& px, const State& state, int parts, F&& f) const {
    const Variable recurrent = matmul(state[0], transpose(weight_hh));
    if (!bias_ih) return f(px + recurrent);
    const bool begun = state.size() > parts;
    const Variable bias = begun ? state[parts] : Variable(bias_ih + bias_hh);
    State next = f(px + recurrent + bias);
    if (begun) next.push_back(bias);
    return next;
  }
  State with_bias(State state) const {
    if (bias_ih) state.push_back(bias_ih + bias_hh);
    return state;
  }
};

}  // namespace hindsight::nn
