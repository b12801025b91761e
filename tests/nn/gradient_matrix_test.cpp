// The gradient matrix: every recurrent model of the library with 1, 2 and 3 layers, in every
// direction, with and without padding, initial states and dropout, and with losses on all outputs,
// the last ones and the final states, by differences along random directions. Then identities that
// hold for every model.
#include <hindsight/nn/nn.h>

#include "nn/recurrent_support.h"
#include "recurrent_models.h"
#include "support.h"

namespace hindsight::test {
namespace {

constexpr Size kSteps = 4, kBatch = 3;

enum class Way { forward, reverse, both };
enum class Loss { all_steps, last_step, final_states };

struct Combination {
  Size layers = 1;
  Way way = Way::forward;
  std::vector<Size> lengths = {};
  bool initial = false, dropout = false;
  Loss loss = Loss::all_steps;

  std::string text() const {
    const char* ways[] = {"forward", "reverse", "both"};
    const char* losses[] = {"all steps", "last step", "final states"};
    return fmt::format("{} layers, {}, lengths {}, {} initial state, {} dropout, loss on {}",
                       layers, ways[static_cast<int>(way)], lengths.empty() ? 0 : lengths[0],
                       initial ? "an" : "no", dropout ? "with" : "no",
                       losses[static_cast<int>(loss)]);
  }
};

std::vector<Combination> combinations() {
  std::vector<Combination> all;
  for (const Size layers : {1, 2, 3}) {
    for (const Way way : {Way::forward, Way::reverse, Way::both}) {
      for (const std::vector<Size>& lengths :
           {std::vector<Size>{}, std::vector<Size>{3, 4, 2}, std::vector<Size>{1, 1, 1}}) {
        for (const bool initial : {false, true}) {
          for (const bool dropout : {false, true}) {
            for (const Loss loss : {Loss::all_steps, Loss::last_step, Loss::final_states})
              all.push_back({layers, way, lengths, initial, dropout, loss});
          }
        }
      }
    }
  }
  return all;
}

std::shared_ptr<nn::Unroller> make(const std::string& name, const Combination& c) {
  nn::RecurrentOptions options = tasks::recurrent_model_sizes(name);
  options.layers = c.layers;
  options.bidirectional = c.way == Way::both;
  options.reverse = c.way == Way::reverse;
  if (c.dropout) {
    options.dropout = 0.3;
    if (tasks::recurrent_model_takes_zoneout(name)) options.zoneout = 0.2;
    if (tasks::recurrent_model_takes_recurrent_dropout(name)) options.recurrent_dropout = 0.3;
  }
  Rng rng(5);
  auto network = tasks::make_recurrent_model(name, options, rng);
  network->to(DType::f64);
  // Values without structure: a bias of 0 and inputs that dropout removed would meet at a kink.
  std::uint64_t seed = 300;
  for (Parameter& p : network->parameters())
    p.assign(random_tensor(p.shape(), ++seed, DType::f64, -0.7, 0.7));
  return network;
}

Variable loss_of(const nn::Unrolled& run, Loss loss) {
  if (loss == Loss::all_steps) return run.outputs;
  if (loss == Loss::last_step) return run.outputs[run.outputs.size(0) - 1];
  std::vector<Variable> parts;
  for (const nn::State& state : run.final) {
    for (int k = 0; k < state.size(); ++k) parts.push_back(reshape(state[k], {-1}));
  }
  return concat(parts, 0);
}

/// Inputs, and the parts of the initial states if they are given.
std::vector<Tensor> inputs_of(nn::Unroller& network, bool initial) {
  std::vector<Tensor> inputs{random_tensor({kSteps, kBatch, network.options().input}, 1)};
  if (!initial) return inputs;
  for (const nn::State& state : network.initial_states(kBatch)) {
    for (int k = 0; k < state.size(); ++k)
      inputs.push_back(random_tensor(state[k].shape(), 20 + inputs.size(), DType::f64, 0.1, 0.9));
  }
  return inputs;
}

nn::Unrolled run(nn::Unroller& network, const Combination& c, In x) {
  nn::UnrollOptions options;
  options.lengths = c.lengths;
  if (x.size() > 1) {
    std::size_t next = 1;
    for (nn::State state : network.initial_states(kBatch)) {
      for (int k = 0; k < state.size(); ++k) state[k] = x[next++];
      options.initial.push_back(state);
    }
  }
  return network(x[0], options);
}

bool differentiates_twice(const std::string& name) {
  return name == "rnn" || name == "lstm" || name == "gru";
}

TEST_CASE("gradients of every model in every combination") {
  std::size_t count = 0;
  for (const std::string& name : tasks::recurrent_model_names()) {
    for (const Combination& c : combinations()) {
      // With sanitizers one in seven, another one for each model.
#ifdef HINDSIGHT_ADDRESS_SANITIZER
      if (++count % 7 != 0) continue;
#else
      ++count;
#endif
      // The output past a row's end is zero, and so are all derivatives.
      if (c.loss == Loss::last_step && !c.lengths.empty() && c.lengths[0] == 1) continue;
      const auto network = make(name, c);
      RandomRun draws;
      bool first = true;
      const Function f = [&](In x) {
        if (std::exchange(first, false)) {
          const RandomRun::Noted noted(&draws);
          return loss_of(run(*network, c, x), c.loss);
        }
        const RandomRun::Repeated again(&draws);
        return loss_of(run(*network, c, x), c.loss);
      };
      const CheckReport report =
          check_gradients(f, inputs_of(*network, c.initial), network->parameters(),
                          {.relative = 2e-6,
                           .absolute = 2e-8,
                           .second_order = differentiates_twice(name),
                           .fast = true});
      if (report.passed) continue;
      FAIL_CHECK(name << ": " << c.text() << "\n" << report.to_string());
    }
  }
  CHECK(count == 324 * tasks::recurrent_model_names().size());
}

// ---- Identities ---------------------------------------------------------------------------------

Tensor rows(const Tensor& x, Size first, Size count) {
  return slice(Variable(x), 1, first, count).value();
}

TEST_CASE("every row of a padded batch equals the row alone") {
  for (const std::string& name : tasks::recurrent_model_names()) {
    INFO(name);
    for (const Way way : {Way::forward, Way::reverse, Way::both}) {
      const Combination c{2, way, {3, 4, 1}};
      const auto network = make(name, c);
      const Tensor x = inputs_of(*network, false)[0];
      const nn::Unrolled all = run(*network, c, {Variable(x)});
      for (Size row = 0; row < kBatch; ++row) {
        const Size length = c.lengths[static_cast<std::size_t>(row)];
        const nn::Unrolled alone = (*network)(slice(Variable(rows(x, row, 1)), 0, 0, length));
        CHECK(relative_difference(
                  slice(Variable(rows(all.outputs.value(), row, 1)), 0, 0, length).value(),
                  alone.outputs.value()) < 1e-12);
        for (std::size_t i = 0; i < all.final.size(); ++i) {
          for (int k = 0; k < all.final[i].size(); ++k) {
            CHECK(relative_difference(slice(all.final[i][k], 0, row, 1).value(),
                                      alone.final[i][k].value()) < 1e-12);
          }
        }
      }
    }
  }
}

TEST_CASE("chunks with a carried state equal the whole, and single steps too") {
  for (const std::string& name : tasks::recurrent_model_names()) {
    INFO(name);
    const auto network = make(name, {2});
    const Variable x(inputs_of(*network, false)[0]);
    const nn::Unrolled whole = (*network)(x), first = (*network)(slice(x, 0, 0, 1)),
                       rest = (*network)(slice(x, 0, 1, kSteps - 1), first.final);
    CHECK(relative_difference(concat({first.outputs, rest.outputs}, 0).value(),
                              whole.outputs.value()) < 1e-12);
    nn::States states;
    for (Size t = 0; t < kSteps; ++t) {
      const nn::Stepped stepped = network->step(x[t], states);
      CHECK(relative_difference(stepped.output.value(), whole.outputs[t].value()) < 1e-12);
      states = stepped.states;
    }
  }
}

TEST_CASE("both directions equal a forward and a reverse network") {
  for (const std::string& name : tasks::recurrent_model_names()) {
    INFO(name);
    if (name == "reservoir") continue;  // its weights are no parameters, which could be copied
    const auto both = make(name, {1, Way::both}), forward = make(name, {1, Way::forward}),
               reverse = make(name, {1, Way::reverse});
    const auto parameters = both->named_parameters();
    const auto copy_to = [&](nn::Unroller& network, const std::string& suffix) {
      for (const auto& [target, parameter] : network.named_parameters()) {
        for (const auto& [source, value] : parameters) {
          if (source == target + suffix) Parameter(parameter).assign(value.value());
        }
      }
    };
    copy_to(*forward, "");
    copy_to(*reverse, "_reverse");
    const Variable x(inputs_of(*both, false)[0]);
    const std::vector<Size> lengths{2, 4, 3};
    const nn::UnrollOptions options{{}, lengths};
    const Tensor joined =
        concat({(*forward)(x, options).outputs, (*reverse)(x, options).outputs}, -1).value();
    CHECK(relative_difference((*both)(x, options).outputs.value(), joined) < 1e-14);
  }
}

TEST_CASE("checkpoints change no number, with dropout and zoneout either") {
  for (const std::string& name : tasks::recurrent_model_names()) {
    INFO(name);
    Combination combination{2, Way::both};
    combination.dropout = true;
    const auto network = make(name, combination);
    RandomRun draws;
    bool first = true;
    const std::vector<Tensor> x = inputs_of(*network, false);
    const auto with = [&](Size every) {
      const auto noted = first ? std::make_unique<RandomRun::Noted>(&draws) : nullptr;
      const auto again = first ? nullptr : std::make_unique<RandomRun::Repeated>(&draws);
      first = false;
      return derivatives(
          [&](In in) {
            return everything((*network)(in[0], {.lengths = {2, 4, 3}, .checkpoint_every = every}));
          },
          x, network->parameters());
    };
    const Derivatives plain = with(0), checkpointed = with(3);
    CHECK(relative_difference(plain.value, checkpointed.value) < 1e-14);
    for (std::size_t i = 0; i < plain.gradients.size(); ++i)
      CHECK(relative_difference(plain.gradients[i], checkpointed.gradients[i]) < 1e-12);
  }
}

TEST_CASE("the sizes may all be one") {
  for (const std::string& name : tasks::recurrent_model_names()) {
    INFO(name);
    nn::RecurrentOptions options = tasks::recurrent_model_sizes(name);
    if (options.input % 2 == 0) continue;  // a model that needs certain widths
    options.input = options.hidden = 1;
    Rng rng(3);
    const auto network = tasks::make_recurrent_model(name, options, rng);
    network->to(DType::f64);
    const CheckReport report =
        check_gradients([&](In x) { return everything((*network)(x[0])); },
                        {random_tensor({1, 1, 1}, 1)}, network->parameters(), {.fast = true});
    CHECK_MESSAGE(report.passed, report.to_string());
  }
}

}  // namespace
}  // namespace hindsight::test
