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
/// projected. The projection adds the biases, so that a step adds only h W_hh^T.
class GatedCell : public Cell {
 public:
  Variable project(const Variable& inputs) const override {
    if (!bias_ih) return matmul(inputs, transpose(weight_ih));
    return linear(inputs, weight_ih, projected_bias());
  }
  Variable project(const Indices& symbols) const override {
    const Variable table = transpose(weight_ih);
    if (!bias_ih) return take(table, symbols);
    const Variable bias = projected_bias();  // added to the table or to the rows: the fewer
    if (table.size(0) <= symbols.elements()) return take(table + bias, symbols);
    return take(table, symbols) + bias;
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
  /// What the projection adds to x W_ih^T: (G H,).
  virtual Variable projected_bias() const { return bias_ih + bias_hh; }
};

}  // namespace hindsight::nn
