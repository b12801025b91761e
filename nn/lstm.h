#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/recurrent.h>

#include <optional>

namespace hindsight::nn {

struct LstmOptions {
  bool bias = true;
  /// P: h' becomes (sigmoid(o) tanh(c')) W_hr^T of width P (Sak et al. 2014); 0 for none.
  Size projection = 0;
  /// False: three gates i, g, o and c' = c + sigmoid(i) tanh(g) (Hochreiter & Schmidhuber 1997).
  bool forget_gate = true;
  /// Three gates i, g, o, and the forget gate is 1 - sigmoid(i) (Greff et al. 2016).
  bool coupled = false;
  /// The gates see the cell state, each unit its own: p_i c is added to i and p_f c to f, and p_o
  /// c' to o (Gers & Schmidhuber 2002).
  bool peephole = false;
  /// LN(x W_ih^T) + LN(h W_hh^T) + b, each over all gates, and tanh(LN(c')) (Ba et al. 2016).
  bool layer_norm = false;
  /// The bias of the forget gate at the start, b_ih + b_hh: in b_ih, with 0 in b_hh. Left out:
  /// uniform, as the other biases.
  std::optional<double> forget_bias = {};
};

/// Long short-term memory (Hochreiter & Schmidhuber 1997, forget gate of Gers et al. 2000), with
/// PyTorch's parameter names and gate order i, f, g, o.
/// state {h, c}: (B, H) each, or h: (B, P) with a projection -> the same.
///   px = x W_ih^T + b_ih + b_hh    (B, 4H), or (B, 3H) with three gates
///   [i f g o] = px + h W_hh^T
///   c' = sigmoid(f) c + sigmoid(i) tanh(g)    h' = sigmoid(o) tanh(c')
/// OptionError for options that are out of range or contradict each other.
class LstmCell : public GatedCell {
 public:
  LstmCell(Size input, Size hidden, Rng& rng, const LstmOptions& options = {});
  Variable project(const Variable& inputs) const override;
  Variable project(const Indices& symbols) const override;
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override;
  /// Whether the forget gate is 1 - sigmoid(i).
  bool coupled() const { return coupled_; }

  Parameter weight_hr;        ///< (P, H), only with a projection
  Parameter weight_peephole;  ///< p_i, p_f, p_o: (3H,); p_i, p_o: (2H,) with three gates
  /// Gains and shifts of the layer norms: (4H,) or (3H,) of x W_ih^T and h W_hh^T, (H,) of c'.
  Parameter norm_ih_weight, norm_ih_bias, norm_hh_weight, norm_hh_bias, norm_c_weight, norm_c_bias;

 private:
  void declare_norms();
  Variable normalized_inputs(const Variable& product) const;
  Variable recurrent_product(const State& state) const;
  Variable peephole(Size which) const;
  template <class O>
  State next_state(const O& o, const Variable& c) const;

  Size hidden_, output_;
  bool forget_gate_, coupled_;
};

using Lstm = Recurrent<LstmCell>;

}  // namespace hindsight::nn
