#pragma once
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/nn/cell.h>

#include <memory>

/// Cells around another cell, which change its inputs, its state or its output. Each is a template
/// that makes the inner cell, so that Recurrent and Stack take it like any other:
///
///   nn::Recurrent<nn::ZoneoutCell<nn::LstmCell>> network(sizes, rng, 0.1, nn::LstmOptions{});
///
/// Parameters keep the inner cell's names.
namespace hindsight::nn {

namespace detail {

/// Passes everything to another cell.
class Wrapper : public Cell {
 public:
  Variable project(const Variable& inputs) const override { return inner().project(inputs); }
  Variable project(const Indices& symbols) const override { return inner().project(symbols); }
  State begin(const State& initial) const override { return inner().begin(initial); }
  State step(const Variable& px, const State& state) const override {
    return inner().step(px, state);
  }
  Variable output(const Variable& px, const State& next) const override {
    return inner().output(px, next);
  }
  Widths state_sizes() const override { return inner().state_sizes(); }
  Size output_size() const override { return inner().output_size(); }

  const Cell& inner() const { return *inner_; }

 protected:
  explicit Wrapper(std::shared_ptr<Cell> inner);
  /// Steps the inner cell, whose products read `h`. OptionError, naming what was wanted, if its
  /// step does not call State::recurrent().
  State step_reading(const Variable& h, const char* wanted, const Variable& px, State state) const;

 private:
  std::shared_ptr<Cell> inner_;
};

class DropoutWrapper : public Wrapper {
 public:
  DropoutWrapper(std::shared_ptr<Cell> inner, double rate, Rng& rng);
  State begin(const State& initial) const override;
  State step(const Variable& px, const State& state) const override;

 private:
  double rate_;
  mutable Rng rng_;
};

class ZoneoutWrapper : public Wrapper {
 public:
  ZoneoutWrapper(std::shared_ptr<Cell> inner, double rate, Rng& rng);
  State begin(const State& initial) const override;
  State step(const Variable& px, const State& state) const override;

 private:
  double rate_;
  mutable Rng rng_;
};

class LayerNormWrapper : public Wrapper {
 public:
  explicit LayerNormWrapper(std::shared_ptr<Cell> inner);
  State step(const Variable& px, const State& state) const override;

  Parameter norm_weight, norm_bias;  ///< (width of the state's first part,)
};

class ResidualWrapper : public Wrapper {
 public:
  ResidualWrapper(std::shared_ptr<Cell> inner, Size input);
  Variable project(const Variable& inputs) const override;
  Variable project(const Indices& symbols) const override { return Cell::project(symbols); }
  State step(const Variable& px, const State& state) const override;
  Variable output(const Variable& px, const State& next) const override;

 private:
  Variable inner_part(const Variable& px) const;

  Size input_;
};

}  // namespace detail

/// Recurrent dropout (Gal & Ghahramani 2016, arXiv 1512.05287): in training, what the products of a
/// step read of the state's first part is multiplied by a mask of 0 and 1 / (1 - rate), drawn once
/// for each sequence. What the step carries over stays. The inner cell's step must read
/// State::recurrent() (OptionError otherwise). OptionError unless 0 <= rate < 1.
template <class Inner>
class DropoutCell : public detail::DropoutWrapper {
 public:
  template <class... Arguments>
  DropoutCell(Size input, Size hidden, Rng& rng, double rate, const Arguments&... arguments)
      : DropoutWrapper(std::make_shared<Inner>(input, hidden, rng, arguments...), rate, rng) {}
};

/// Zoneout (Krueger et al. 2017, arXiv 1606.01305): in training, each unit of each part of the
/// state keeps its value with probability `rate`, drawn anew at each step; in evaluation, the
/// state is the expectation.
///   s' = d s + (1 - d) step(s),   d ~ Bernoulli(rate), or d = rate in evaluation
/// OptionError unless 0 <= rate < 1.
template <class Inner>
class ZoneoutCell : public detail::ZoneoutWrapper {
 public:
  template <class... Arguments>
  ZoneoutCell(Size input, Size hidden, Rng& rng, double rate, const Arguments&... arguments)
      : ZoneoutWrapper(std::make_shared<Inner>(input, hidden, rng, arguments...), rate, rng) {}
};

/// The products of a step read the layer normalization of the state's first part (Ba et al. 2016,
/// arXiv 1607.06450); what the step carries over stays. Parameters norm_weight and norm_bias. The
/// inner cell's step must read State::recurrent() (OptionError otherwise).
///   recurrent() = norm_weight (h - mean) / sqrt(variance + 1e-5) + norm_bias
template <class Inner>
class LayerNormCell : public detail::LayerNormWrapper {
 public:
  template <class... Arguments>
  LayerNormCell(Size input, Size hidden, Rng& rng, const Arguments&... arguments)
      : LayerNormWrapper(std::make_shared<Inner>(input, hidden, rng, arguments...)) {}
};

/// Adds the input to the output (He et al. 2016, arXiv 1512.03385): y = output + x. The state
/// stays. OptionError unless the output is as wide as the input.
template <class Inner>
class ResidualCell : public detail::ResidualWrapper {
 public:
  template <class... Arguments>
  ResidualCell(Size input, Size hidden, Rng& rng, const Arguments&... arguments)
      : ResidualWrapper(std::make_shared<Inner>(input, hidden, rng, arguments...), input) {}
};

}  // namespace hindsight::nn
