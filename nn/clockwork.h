#pragma once
#include <hindsight/nn/gates.h>
#include <hindsight/nn/recurrent.h>

#include <vector>

namespace hindsight::nn {

struct ClockworkOptions {
  /// T_k of each module, increasing; every module has H / (number of modules) units.
  std::vector<Size> periods = {1, 2, 4, 8};
  bool bias = true;
};

/// Clockwork RNN (Koutnik et al. 2014, arXiv 1402.3511): modules of units with periods, fastest
/// first. At time step t, modules with t mod T_k = 0 compute new states from all modules that are
/// not faster; the others keep theirs.
/// state {h, t}: (B, H) and (B, 1) -> the same. t counts steps from 0, modulo the least common
/// multiple of the periods; as a part of the state, it continues with it, for each row.
///   px = x W_ih^T + b_ih + b_hh    (B, H)
///   h'_k = tanh(px_k + sum over j >= k of h_j W_hh[k, j]^T) if t mod T_k = 0, else h_k
/// W_hh is block upper triangular: the other blocks are 0 and get no gradient. There is no gradient
/// by t. Zoneout would keep t too: use it with other cells. OptionError when the periods do not
/// increase from at least 1, their multiple exceeds 2^24, or H does not divide by their number.
class ClockworkCell : public GatedCell {
 public:
  ClockworkCell(Size input, Size hidden, Rng& rng, const ClockworkOptions& options = {});
  State step(const Variable& px, const State& state) const override;
  Widths state_sizes() const override { return {hidden_, 1}; }

 private:
  Size hidden_;
  std::vector<Size> periods_;
  Size cycle_;  // after so many steps the modules take turns as at first
};

using Clockwork = Recurrent<ClockworkCell>;

}  // namespace hindsight::nn
