#pragma once
#include <hindsight/nn/nn.h>

namespace hindsight::test {

/// Outputs and final states in one vector, so that a check sees all of them.
inline Variable everything(const nn::Unrolled& run) {
  std::vector<Variable> parts{reshape(run.outputs, {-1})};
  for (const nn::State& state : run.final) {
    for (int k = 0; k < state.size(); ++k) parts.push_back(reshape(state[k], {-1}));
  }
  return concat(parts, 0);
}

}  // namespace hindsight::test
