#pragma once
#include "execution.h"

namespace hindsight::random_programs {

/// The numbers of a recurrent step. Its input is x (T, B, I), or none, and then symbols are drawn;
/// its outputs are those of all steps (unless `final_only`) and the final state.
enum NetworkNumber : std::size_t {
  kCell,  // see below
  kInputWidth,
  kHidden,
  kLayers,
  kBidirectional,
  kCheckpointEvery,
  kFinalOnly,
  kLengths,  // 1: each row has its own
  kDropout,  // 1: of 0.3, between layers
  kSteps,    // of symbols
  kBatch,    // of symbols
  kNetworkNumbers
};
enum NetworkCell : Size { kRnn, kLstm, kProjectedLstm, kNormalized, kRnnWithoutBias, kCells };

std::shared_ptr<const nn::Unroller> make_network(const Step& step);
std::vector<Variable> run_network(const nn::Unroller& network, const Step& step,
                                  const std::vector<Variable>& in, bool checkpoints);
std::string network_text(const Step& step);

}  // namespace hindsight::random_programs
