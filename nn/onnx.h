#pragma once
#include <hindsight/nn/recurrent.h>

#include <vector>

/// Weights of the ONNX operators RNN, LSTM and GRU (github.com/onnx/onnx, docs/Operators.md), with
/// D = 1 or 2 directions and G gates in rows:
///
///   RNN: an RnnCell
///   LSTM: gates i, o, f, c: an LstmCell, with peephole where there is P, coupled where
///     input_forget is 1
///   GRU: gates z, r, h: a GruCell with reset_after where linear_before_reset is 1
///
/// A node with direction "reverse" is a network with .reverse, "bidirectional" one with
/// .bidirectional, layout 1 one with .batch_first; Y has the directions in an axis of their own.
/// There is nothing for clip, for activations other than the defaults (an RnnCell has its
/// nonlinearities), and for different activations in the two directions.
namespace hindsight::nn::onnx {

/// The inputs of one node that are weights, and the attributes that change what they mean.
struct Weights {
  Tensor W = {};  ///< (D, G H, I)
  Tensor R = {};  ///< (D, G H, H)
  Tensor B = {};  ///< (D, 2 G H): Wb, then Rb; empty for a network without biases
  Tensor P = {};  ///< (D, 3H) in the order i, o, f; empty without peepholes
  bool input_forget = false;
  bool linear_before_reset = false;
};

/// Assigns the weights of all nodes of a network, one for each layer from the lowest on, converted
/// to the parameters' element type. With input_forget, the rows of f are left out: ONNX uses none.
/// Error when a tensor is missing or left over, ShapeError for another shape, OptionError for
/// attributes that the cell was not made with, another cell, or one with parameters that ONNX
/// lacks; then no parameter has changed.
void assign(const Unroller& network, const std::vector<Weights>& weights);

/// The weights for ONNX, a node for each layer. OptionError likewise.
std::vector<Weights> weights(const Unroller& network);

}  // namespace hindsight::nn::onnx
