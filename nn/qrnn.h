#pragma once
#include <hindsight/nn/linear_cell.h>
#include <hindsight/nn/recurrent.h>

namespace hindsight::nn {

struct QrnnOptions {
  Size window = 2;  ///< of the convolution: 1 or 2 inputs
};

/// Quasi-recurrent network with fo-pooling (Bradbury et al. 2017, arXiv 1611.01576): the gates are
/// convolutions of the inputs over time. Rows of weight_ih: z, f, o for x_t (W below), then, for a
/// window of 2, z, f, o for x_(t-1) (V); of bias_ih: z, f, o. Initial values as in the authors'
/// code: uniform in [-k, k), k = 1/sqrt(window I). There, f writes: it is the 1 - f of the paper.
/// state {c}: (B, H), for a window of 2 also u: (B, 3H) -> the same; output: (B, H).
///   [z~ f~ o~] = W x_t + b + u    u' = V x_t    (u = 0 for a window of 1)
///   z = tanh(z~)    f = sigmoid(f~)    o = sigmoid(o~)
///   c' = f c + (1 - f) z    h = o c'
class QrnnCell : public LinearCell {
 public:
  QrnnCell(Size input, Size hidden, Rng& rng, const QrnnOptions& options = {});
  Variable project(const Variable& inputs) const override;
  Variable project(const Indices& symbols) const override;
  State begin(const State& initial) const override;
  State step(const Variable& px, const State& state) const override;
  State scan(const Variable& px, const State& initial) const override;
  Variable output(const Variable& px, const State& next) const override;
  /// With a window of 2, state[1] is the u of each step: (..., 3H).
  Coefficients coefficients(const Variable& px, const State& state) const override;
  Widths state_sizes() const override;
  Size output_size() const override { return width(); }

  Parameter weight_ih;  ///< (3 window H, I)
  Parameter bias_ih;    ///< (3H,)

 private:
  Variable preactivation(Size gate, const Variable& px, const State& state, int u) const;
  Variable next_u(const Variable& px) const;

  Size window_;
};

using Qrnn = Recurrent<QrnnCell>;

}  // namespace hindsight::nn
