#include <hindsight/nn/rnn.h>

namespace hindsight::nn {
namespace {

constexpr double kInputDeviation = 0.001;  // Le, Jaitly & Hinton 2015, section 2

}  // namespace

RnnCell::RnnCell(Size input, Size hidden, Rng& rng, const RnnOptions& options)
    : GatedCell({1, input, hidden, hidden, options.bias}, rng),
      hidden_(hidden),
      nonlinearity_(options.nonlinearity) {
  if (!std::isfinite(options.identity_init)) {
    fail<OptionError>("RnnCell: identity_init {}; a finite number is needed",
                      options.identity_init);
  }
  if (options.identity_init == 0) return;
  weight_ih.assign(init::normal(weight_ih.shape(), kInputDeviation, rng));
  weight_hh.assign(init::identity(hidden, options.identity_init));
  if (!options.bias) return;
  bias_ih.assign(init::zeros({hidden}));
  bias_hh.assign(init::zeros({hidden}));
}

State RnnCell::step(const Variable& px, const State& state) const {
  return {detail::with_nonlinearity(nonlinearity_,
                                    px + matmul(state.recurrent(), transpose(weight_hh)),
                                    [](const auto& h) { return Variable(h); })};
}

}  // namespace hindsight::nn
