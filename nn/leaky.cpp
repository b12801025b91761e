#include <hindsight/nn/leaky.h>

namespace hindsight::nn {

LeakyCell::LeakyCell(Size input, Size hidden, Rng& rng, const LeakyOptions& options)
    : GatedCell({1, input, hidden, hidden, options.bias}, rng),
      hidden_(hidden),
      leak_(options.leak),
      nonlinearity_(options.nonlinearity) {
  const double a = options.leak;
  if (!(a > 0 && a <= 1)) fail<OptionError>("LeakyCell: leak {} is outside of (0, 1]", a);
  if (!options.learned_leak) return;
  if (a == 1) fail<OptionError>("LeakyCell: leak 1 cannot be learned; one in (0, 1) is needed");
  leak_logit = parameter("leak_logit", init::constant({hidden}, std::log(a / (1 - a))));
}

State LeakyCell::begin(const State& initial) const {
  State state = initial;
  if (leak_logit) state.push_back(sigmoid(leak_logit));
  return state;
}

State LeakyCell::step(const Variable& px, const State& state) const {
  const Variable& h = state[0];
  const auto sum = px + matmul(state.recurrent(), transpose(weight_hh));
  const auto leaking = [&](const auto& a) {
    return detail::with_nonlinearity(
        nonlinearity_, sum, [&](const auto& update) { return Variable(h + a * (update - h)); });
  };
  if (!leak_logit) return {leaking(leak_)};
  return {leaking(state[1]), state[1]};
}

}  // namespace hindsight::nn
