#pragma once
#include <hindsight/nn/cell.h>

namespace hindsight::nn {

/// A cell whose state is a linear function of the state before it, each unit for itself, with
/// coefficients that depend on the input alone:
///   h' = decay h + drive
/// A derived class gives the coefficients; Recurrent computes the states of many steps by one scan
/// over time (linear_recurrence), or step by step, as UnrollOptions::step_by_step asks for. Both
/// have the same numbers up to rounding.
class LinearCell : public Cell {
 public:
  struct Coefficients {
    Variable decay, drive;  ///< (..., W)
  };
  /// px: (..., P) -> (..., W) each, for any leading axes. state: only what begin() appended may be
  /// read.
  virtual Coefficients coefficients(const Variable& px, const State& state) const = 0;

  State step(const Variable& px, const State& state) const override;
  bool scans() const override { return true; }
  State scan(const Variable& px, const State& initial) const override;
  Widths state_sizes() const override { return {width_}; }

 protected:
  /// W, the width of the state: H unless a unit has several numbers.
  explicit LinearCell(Size width) : width_(width) {}
  Size width() const { return width_; }

 private:
  Size width_;
};

}  // namespace hindsight::nn
