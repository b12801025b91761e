#pragma once
#include <hindsight/nn/nn.h>
#include <hindsight/optim/optim.h>

#include <memory>

#include "case.h"

/// Networks and optimizers by PyTorch's names and options; Skip for those the library lacks.
namespace hindsight::conformance {

std::unique_ptr<nn::Unroller> make_recurrent(const std::string& cell,
                                             const nn::RecurrentOptions& sizes, Options& options);

std::unique_ptr<optim::Optimizer> make_optimizer(const std::string& name,
                                                 const std::vector<Parameter>& parameters,
                                                 double clip_norm, Options& options);

}  // namespace hindsight::conformance
