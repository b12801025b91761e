#pragma once
#include <hindsight/nn/recurrent.h>

#include <memory>
#include <string>

/// The recurrent networks that `hindsight gradcheck` can check.
namespace hindsight::tasks {

struct GradcheckModelOptions {
  std::string model;
  nn::RecurrentOptions network{.input = 3, .hidden = 4};
  Size projection = 0;  ///< P of the LSTM, 0 for none
  Size steps = 5, batch = 2;
  std::vector<Size> lengths;
  std::uint64_t seed = 1;
};

/// A network with random inputs and initial states. These are parameters too, so that the check
/// names them.
class GradcheckModel {
 public:
  /// OptionError for an unknown model, or for a projection of one that has none.
  explicit GradcheckModel(const GradcheckModelOptions& options);

  /// The network's parameters, "input", and the parts of every initial state.
  std::vector<Parameter> parameters() const;
  /// All elements of the outputs and the final states, concatenated: (n,).
  Variable operator()() const;

 private:
  std::vector<Size> lengths_;
  std::shared_ptr<nn::Unroller> network_;
  Parameter input_;
  std::vector<std::vector<Parameter>> states_;
};

}  // namespace hindsight::tasks
