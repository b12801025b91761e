#include "recurrent_models.h"

#include <fmt/format.h>
#include <hindsight/nn/nn.h>

#include <algorithm>

namespace hindsight::tasks {
namespace {

using Network = std::shared_ptr<nn::Unroller>;
using Maker = Network (*)(const nn::RecurrentOptions&, Rng&, Size projection);

struct Model {
  const char* name;
  Maker make;
  Size input = 3, hidden = 5;  ///< small sizes for checks
  bool takes_recurrent_dropout = true, takes_zoneout = true, projects = false;
};

template <class Cell>
Network plain(const nn::RecurrentOptions& sizes, Rng& rng, Size) {
  return std::make_shared<nn::Recurrent<Cell>>(sizes, rng);
}

/// With options that are not the default.
template <class Cell, class Options>
Network with(const nn::RecurrentOptions& sizes, Rng& rng, const Options& options) {
  return std::make_shared<nn::Recurrent<Cell>>(sizes, rng, options);
}

using Sizes = nn::RecurrentOptions;

/// Each cell of the library has a row, and each option that changes its equations.
const Model kModels[] = {
    {"lstm",
     [](const Sizes& o, Rng& rng, Size projection) {
       return with<nn::LstmCell>(o, rng, nn::LstmOptions{.projection = projection});
     },
     3, 5, true, true, true},
    {"lstm-1997",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::LstmCell>(o, rng, nn::LstmOptions{.forget_gate = false});
     }},
    {"lstm-coupled",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::LstmCell>(o, rng, nn::LstmOptions{.coupled = true});
     }},
    {"lstm-peephole",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::LstmCell>(o, rng, nn::LstmOptions{.peephole = true});
     }},
    {"lstm-layer-norm",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::LstmCell>(o, rng, nn::LstmOptions{.layer_norm = true});
     }},
    {"lstm-projected",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::LstmCell>(o, rng, nn::LstmOptions{.projection = (o.hidden + 1) / 2});
     },
     4},
    {"gru", plain<nn::GruCell>},
    {"gru-reset-before",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::GruCell>(o, rng, nn::GruOptions{.reset_after = false});
     }},
    {"mgu", plain<nn::MguCell>},
    {"rnn", plain<nn::RnnCell>},
    {"rnn-relu",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::RnnCell>(o, rng, nn::RnnOptions{.nonlinearity = nn::Nonlinearity::relu});
     }},
    {"rnn-sigmoid",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::RnnCell>(o, rng, nn::RnnOptions{.nonlinearity = nn::Nonlinearity::sigmoid});
     }},
    {"rnn-identity",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::RnnCell>(o, rng, nn::RnnOptions{.nonlinearity = nn::Nonlinearity::identity});
     }},
    {"leaky", plain<nn::LeakyCell>},
    {"leaky-learned",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::LeakyCell>(o, rng, nn::LeakyOptions{.learned_leak = true});
     }},
    {"clockwork", plain<nn::ClockworkCell>, 4, 8, true, false},
    {"rhn", plain<nn::RhnCell>},
    {"multiplicative-lstm", plain<nn::MultiplicativeLstmCell>},
    {"indrnn", plain<nn::IndRnnCell>},
    {"cfc", plain<nn::CfcCell>},
    {"slstm", plain<nn::SlstmCell>},
    {"slstm-heads",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::SlstmCell>(o, rng, nn::SlstmOptions{.heads = 2});
     },
     4, 6},
    {"mlstm", plain<nn::MlstmCell>, 3, 5, false},
    {"mlstm-heads",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::MlstmCell>(o, rng, nn::MlstmOptions{.heads = 2});
     },
     4, 6, false},
    {"conv-lstm",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::ConvLstmCell>(o, rng, nn::ConvLstmOptions{.length = 3});
     },
     6, 9},
    {"min-gru", plain<nn::MinGruCell>, 3, 5, false},
    {"min-lstm", plain<nn::MinLstmCell>, 3, 5, false},
    {"sru", plain<nn::SruCell>, 3, 5, false},
    {"sru-gates-see-state",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::SruCell>(o, rng, nn::SruOptions{.gates_see_state = true});
     },
     3, 5},
    {"qrnn", plain<nn::QrnnCell>, 3, 5, false},
    {"qrnn-window-1",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::QrnnCell>(o, rng, nn::QrnnOptions{.window = 1});
     },
     3, 5, false},
    {"reservoir", plain<nn::ReservoirCell>},
    {"lru", plain<nn::LruCell>, 3, 5, false},
    {"s6",
     [](const Sizes& o, Rng& rng, Size) {
       return with<nn::S6Cell>(o, rng, nn::S6Options{.states = 2});
     },
     3, 5, false},
};

const Model& model_of(const std::string& name) {
  const Model* model = std::find_if(std::begin(kModels), std::end(kModels),
                                    [&](const Model& m) { return m.name == name; });
  if (model != std::end(kModels)) return *model;
  fail<OptionError>("there is no model '{}': {}", name, fmt::join(recurrent_model_names(), ", "));
}

}  // namespace

std::vector<std::string> recurrent_model_names() {
  std::vector<std::string> names;
  for (const Model& model : kModels) names.emplace_back(model.name);
  return names;
}

std::shared_ptr<nn::Unroller> make_recurrent_model(const std::string& name,
                                                   const nn::RecurrentOptions& options, Rng& rng,
                                                   Size projection) {
  const Model& model = model_of(name);
  if (projection > 0 && !model.projects)
    fail<OptionError>("--projection: model '{}' has none", name);
  return model.make(options, rng, projection);
}

nn::RecurrentOptions recurrent_model_sizes(const std::string& name) {
  const Model& model = model_of(name);
  return {.input = model.input, .hidden = model.hidden};
}

bool recurrent_model_takes_recurrent_dropout(const std::string& name) {
  return model_of(name).takes_recurrent_dropout;
}

bool recurrent_model_takes_zoneout(const std::string& name) { return model_of(name).takes_zoneout; }

}  // namespace hindsight::tasks
