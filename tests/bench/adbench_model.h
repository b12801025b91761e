#pragma once
#include <hindsight/nn/recurrent.h>

#include <functional>
#include <vector>

#include "adbench_problem.h"

/// The LSTM objective of ADBench as a user of the library would write it: a custom cell, unrolled
/// by Recurrent, and the loss in a few lines.
namespace hindsight::bench {

/// One layer: an LSTM with diagonal weights, whose forget gate and outgate read the layer's input
/// v, and whose ingate and change read its own output h.
///   f, o = sigmoid(v * w_fo + b_fo)   i = sigmoid(h * w_i + b_i)   g = tanh(h * w_g + b_g)
///   c' = c * f + g * i                h' = o * tanh(c')
struct DiagonalLstmCell : nn::Cell {
  Parameter input_weight, input_bias;    ///< (2, H): forget gate, outgate
  Parameter ingate_weight, ingate_bias;  ///< (H)
  Parameter change_weight, change_bias;  ///< (H)

  DiagonalLstmCell(Size input, Size hidden, Rng& rng);
  /// (T, B, H) -> (T, B, 2H): the two gates that do not depend on the state, of all steps.
  Variable project(const Variable& inputs) const override;
  nn::State step(const Variable& gates, const nn::State& state) const override;
  nn::Widths state_sizes() const override;
};

/// The objective and its gradient with respect to main and extra, in double.
class AdbenchModel : public nn::Module {
 public:
  explicit AdbenchModel(const AdbenchProblem& problem);

  /// Minus the mean over the predicted characters' bits of x_{t+1} * n_t, where n_t is the
  /// prediction p from x_t, normalised: n = p - log(sum(exp(p)) + 2).
  Variable objective();
  /// Returns the objective and writes its derivatives by main, then by extra, in the file's order,
  /// to *gradient.
  double gradient(std::vector<double>* gradient);

 private:
  void for_each_row(const std::function<void(const Parameter&, Size row)>& f) const;

  Rng rng_{1};  // never used: the file gives every number
  nn::Recurrent<DiagonalLstmCell> layers_;
  Parameter in_weight_, out_weight_, out_bias_;  // (H)
  std::vector<Parameter> parameters_;            // all of them
  nn::States initial_;
  Variable inputs_, next_;  // (T, 1, H): every character but the last, every one but the first
};

}  // namespace hindsight::bench
