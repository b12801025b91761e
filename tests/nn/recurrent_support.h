#pragma once
#include <hindsight/nn/nn.h>

/// Shared by the tests of recurrent networks.
namespace hindsight::test {

/// Adds the input itself to the state: no projection, so that steps read the inputs directly.
struct PlainCell : nn::Cell {
  Parameter u;
  Size hidden;
  PlainCell(Size, Size h, Rng& rng)
      : u(parameter("u", nn::init::orthogonal({h, h}, rng))), hidden(h) {}
  nn::State step(const Variable& x, const nn::State& s) const override {
    return {tanh(x + matmul(s[0], u))};
  }
  nn::Widths state_sizes() const override { return {hidden}; }
};

/// Outputs and final states in one vector, so that a check sees all of them.
inline Variable everything(const nn::Unrolled& run) {
  std::vector<Variable> parts{reshape(run.outputs, {-1})};
  for (const nn::State& state : run.final) {
    for (int k = 0; k < state.size(); ++k) parts.push_back(reshape(state[k], {-1}));
  }
  return concat(parts, 0);
}

}  // namespace hindsight::test
