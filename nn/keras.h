#pragma once
#include <hindsight/nn/linear.h>
#include <hindsight/nn/recurrent.h>
#include <hindsight/nn/weight_source.h>

#include <string>
#include <vector>

/// Weights of Keras 3 layers (keras.io), whose products are x kernel. With u = layer.units:
///
///   SimpleRNN: kernel (I, u), recurrent_kernel (u, u), bias (u,): an RnnCell
///   LSTM: gates i, f, c, o in columns, kernel (I, 4u), recurrent_kernel (u, 4u), bias (4u,): an
///     LstmCell
///   GRU: gates z, r, h, kernel (I, 3u), recurrent_kernel (u, 3u), bias (2, 3u) with rows for input
///     and state, or (3u,) where the layer has reset_after=False: a GruCell with the same option
///   Dense: kernel (I, O), bias (O,): a Linear
///
/// A Keras model is exported to a file for WeightSource in Python by
///   safetensors.numpy.save_file({v.path: v.numpy() for v in model.weights}, "model.safetensors")
namespace hindsight::nn::keras {

/// The tensors of a layer in one direction, in the order of layer.get_weights().
struct Weights {
  Tensor kernel = {};
  Tensor recurrent_kernel = {};
  Tensor bias = {};  ///< empty where the layer has use_bias=False
};

/// The tensors prefix/kernel, prefix/recurrent_kernel and prefix/bias, those that are there:
/// take(&file, "sequential/lstm/lstm_cell"), or "sequential/bidirectional/forward_lstm/lstm_cell"
/// and ".../backward_lstm/lstm_cell" of two directions. FileError when there is no kernel.
Weights take(WeightSource* source, const std::string& prefix);

/// Assigns the weights of one layer in one direction, converted to the parameters' element type. A
/// bias is assigned to bias_ih, and bias_hh becomes 0, where Keras has one for both. Error when a
/// tensor is missing or left over, ShapeError for another shape, OptionError for another cell or
/// one with parameters that Keras lacks; then no parameter has changed.
void assign(const Cell& cell, const Weights& weights);
/// All layers of a network from the lowest on, each forward before backward. Errors likewise, and
/// for another number of them.
void assign(const Unroller& network, const std::vector<Weights>& weights);
/// A Dense layer, without recurrent_kernel.
void assign(const Linear& linear, const Weights& weights);

/// The weights for Keras, in the order of layer.set_weights(). OptionError likewise.
Weights weights(const Cell& cell);
std::vector<Weights> weights(const Unroller& network);
Weights weights(const Linear& linear);

}  // namespace hindsight::nn::keras
