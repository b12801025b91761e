#include "derivatives.h"
#include "models.h"

namespace hindsight::conformance {
namespace {

/// The (L, B, H) tensors h0 and, for cells with two parts of state, c0, as one state for each layer
/// and direction.
nn::States states_of(const std::vector<Variable>& parts) {
  nn::States states;
  for (Size i = 0; i < parts[0].size(0); ++i) {
    nn::State state;
    for (const Variable& part : parts) state.push_back(part[i]);
    states.push_back(state);
  }
  return states;
}

Variable stacked(const nn::States& states, int part) {
  std::vector<Variable> parts;
  for (const nn::State& state : states) parts.push_back(state[part]);
  return stack(parts);
}

}  // namespace

void run_recurrent(Case& c) {
  Options& o = c.options;
  for (const char* name : {"steps", "batch"}) o.ignore(name);  // the input's shape gives them
  o.only("dropout", 0.0);
  const auto model = make_recurrent(o.get<std::string>("cell"),
                                    {.input = o.get<Size>("input_size"),
                                     .hidden = o.get<Size>("hidden_size"),
                                     .layers = o.get<Size>("num_layers", 1),
                                     .bidirectional = o.get("bidirectional", false)},
                                    o);
  nn::UnrollOptions unroll;
  if (o.has("lengths")) {
    const Indices lengths = c.indices("lengths");
    unroll.lengths.assign(lengths.data(), lengths.data() + lengths.elements());
  }
  o.finish();  // before loading: an option unknown here may mean other parameters
  assign_parameters(c, *model, "param.", "");
  std::vector<std::string> inputs = {"input", "h0"};
  if (c.has("c0")) inputs.push_back("c0");
  check_derivatives(
      c, inputs, model->named_parameters(), [&](const std::vector<Variable>& x) -> NamedVariables {
        unroll.initial = states_of({x.begin() + 1, x.end()});
        const nn::Unrolled result = (*model)(x[0], unroll);
        NamedVariables outputs = {{"output", result.outputs}, {"hn", stacked(result.final, 0)}};
        if (x.size() > 2) outputs.emplace_back("cn", stacked(result.final, 1));
        return outputs;
      });
}

}  // namespace hindsight::conformance
