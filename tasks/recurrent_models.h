#pragma once
#include <hindsight/nn/recurrent.h>

#include <memory>
#include <string>
#include <vector>

/// The recurrent networks of the library by name: each cell, and each variant with other equations.
namespace hindsight::tasks {

/// "lstm", "gru", ... in the order of the table in docs/recurrent.md.
std::vector<std::string> recurrent_model_names();

/// A network of this model. projection: P of the LSTM, 0 for none. OptionError for an unknown
/// model, or for a projection of one that has none.
std::shared_ptr<nn::Unroller> make_recurrent_model(const std::string& name,
                                                   const nn::RecurrentOptions& options, Rng& rng,
                                                   Size projection = 0);

/// Small sizes that the model accepts: `input` and `hidden`.
nn::RecurrentOptions recurrent_model_sizes(const std::string& name);

/// Whether its step reads State::recurrent().
bool recurrent_model_takes_recurrent_dropout(const std::string& name);
/// Whether parts of its state may be kept at random.
bool recurrent_model_takes_zoneout(const std::string& name);

}  // namespace hindsight::tasks
