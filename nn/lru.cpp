#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/scan.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/lru.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace hindsight::nn {
namespace {

/// Steps that share a rotation. Its angle grows with the steps, and so does the angle's rounding in
/// float32: at 512 steps, outputs were off by 2e-5 of the largest one with one rotation for all,
/// and by 2e-6 to 1e-5 in blocks of 64, close to single steps.
constexpr Size kScannedSteps = 64;

void check_options(const LruOptions& o) {
  if (o.output < 0) fail<OptionError>("LruCell: output {} is below 0", o.output);
  if (!(0 <= o.r_min && o.r_min < o.r_max && o.r_max <= 1)) {
    fail<OptionError>("LruCell: r_min {} and r_max {}; 0 <= r_min < r_max <= 1 is needed", o.r_min,
                      o.r_max);
  }
  if (!(o.max_phase > 0 && std::isfinite(o.max_phase)))
    fail<OptionError>("LruCell: max_phase {}; a finite number above 0 is needed", o.max_phase);
}

}  // namespace

LruCell::LruCell(Size input, Size hidden, Rng& rng, const LruOptions& options)
    : hidden_(hidden), output_(options.output ? options.output : hidden) {
  check_options(options);
  const Tensor nu({hidden}, DType::f32), theta({hidden}, DType::f32), gamma({hidden}, DType::f32);
  for (Size i = 0; i < hidden; ++i) {
    const double low = options.r_min * options.r_min, high = options.r_max * options.r_max;
    // |lambda|^2; the logarithms of 0 and 1 would be infinite.
    const double square = low + (high - low) * rng.uniform(1e-9, 1 - 1e-9);
    nu.set(i, std::log(-0.5 * std::log(square)));
    theta.set(i, std::log(options.max_phase * (1 - rng.uniform())));
    gamma.set(i, 0.5 * std::log(1 - square));
  }
  nu_log = parameter("nu_log", nu);
  theta_log = parameter("theta_log", theta);
  gamma_log = parameter("gamma_log", gamma);
  const double b = std::sqrt(0.5 / static_cast<double>(input)),
               c = std::sqrt(1 / static_cast<double>(hidden));
  B_re = parameter("B_re", init::normal({hidden, input}, b, rng));
  B_im = parameter("B_im", init::normal({hidden, input}, b, rng));
  C_re = parameter("C_re", init::normal({output_, hidden}, c, rng));
  C_im = parameter("C_im", init::normal({output_, hidden}, c, rng));
  D = parameter("D", output_ == input ? init::normal({input}, 1, rng)
                                      : init::lecun_normal({output_, input}, rng));
}

// px: gamma B x, its real and imaginary parts, then D x.
Variable LruCell::project(const Variable& x) const {
  const Variable gamma = exp(gamma_log);
  const Variable skip = D.shape().rank() == 1 ? Variable(D * x) : matmul(x, transpose(D));
  return concat({gamma * matmul(x, transpose(B_re)), gamma * matmul(x, transpose(B_im)), skip}, -1);
}

State LruCell::begin(const State& initial) const {
  State state = initial;
  state.push_back(exp(-exp(nu_log)) * cos(exp(theta_log)));  // Re lambda
  state.push_back(exp(-exp(nu_log)) * sin(exp(theta_log)));
  return state;
}

State LruCell::step(const Variable& px, const State& state) const {
  const Variable &re = state[0], &im = state[1], &lambda_re = state[2], &lambda_im = state[3];
  return {lambda_re * re - lambda_im * im + slice(px, -1, 0, hidden_),
          lambda_im * re + lambda_re * im + slice(px, -1, hidden_, hidden_), lambda_re, lambda_im};
}

State LruCell::scan(const Variable& px, const State& initial) const {
  if (px.size(0) <= kScannedSteps) return scan_block(px, initial);
  State last = initial;
  std::vector<Variable> re, im;
  for (Size first = 0; first < px.size(0); first += kScannedSteps) {
    const Size count = std::min(kScannedSteps, px.size(0) - first);
    const State block = scan_block(slice(px, 0, first, count), last);
    re.push_back(block[0]);
    im.push_back(block[1]);
    for (int k = 0; k < 2; ++k) last[k] = block[k][count - 1];
  }
  return {concat(re, 0), concat(im, 0), initial[2], initial[3]};
}

// With g_t = exp(-i theta t) h_t, where t counts from 1, the recurrence is a real one:
//   g_t = |lambda| g_(t-1) + exp(-i theta t) gamma B x_t
State LruCell::scan_block(const Variable& px, const State& initial) const {
  const Variable b_re = slice(px, -1, 0, hidden_), b_im = slice(px, -1, hidden_, hidden_);
  const Tensor times(Shape{px.size(0), 1, 1}, px.dtype());
  for (Size t = 0; t < px.size(0); ++t) times.set(t, static_cast<double>(t + 1));
  const Variable phase = exp(theta_log) * Variable(times), c = cos(phase), s = sin(phase),
                 decay = broadcast_to(exp(-exp(nu_log)), b_re.shape()),
                 re = linear_recurrence(decay, c * b_re + s * b_im, 0, initial[0]),
                 im = linear_recurrence(decay, c * b_im - s * b_re, 0, initial[1]);
  return {c * re - s * im, s * re + c * im, initial[2], initial[3]};
}

Variable LruCell::output(const Variable& px, const State& next) const {
  return matmul(next[0], transpose(C_re)) - matmul(next[1], transpose(C_im)) +
         slice(px, -1, 2 * hidden_, output_);
}

}  // namespace hindsight::nn
