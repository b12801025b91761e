#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/layer_norm.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/mode.h>
#include <hindsight/nn/row_dropout.h>
#include <hindsight/nn/wrappers.h>

namespace hindsight::nn::detail {
namespace {

/// The first `count` parts.
State first_parts(State state, int count) {
  state.resize(count);
  return state;
}

/// Fills a row with ones, of probability `rate`, and zeros.
void draw_row(const Tensor& matrix, Size row, double rate, Rng* rng) {
  const Size width = matrix.size(1);
  dispatch(matrix.dtype(), [&](auto zero) {
    using T = decltype(zero);
    T* values = matrix.data<T>() + row * width;
    for (Size i = 0; i < width; ++i) values[i] = rng->uniform() < rate ? T(1) : T(0);
  });
}

double checked_rate(const char* cell, double rate) {
  if (!(rate >= 0 && rate < 1)) fail<OptionError>("{}: rate {} is outside of [0, 1)", cell, rate);
  return rate;
}

}  // namespace

Wrapper::Wrapper(std::shared_ptr<Cell> inner) : inner_(std::move(inner)) {
  add_child("", "", *inner_);
}

State Wrapper::step_reading(const Variable& h, const char* wanted, const Variable& px,
                            State state) const {
  state.set_recurrent(h);
  State next = inner().step(px, state);
  next.set_recurrent({});  // for a step that returns a changed copy of its state
  if (!state.recurrent_was_read()) {
    fail<OptionError>(
        "{} needs a cell whose products read State::recurrent(); the step of this one does not",
        wanted);
  }
  return next;
}

DropoutWrapper::DropoutWrapper(std::shared_ptr<Cell> inner, double rate, Rng& rng)
    : Wrapper(std::move(inner)), rate_(checked_rate("DropoutCell", rate)), rng_(rng.bits()) {}

State DropoutWrapper::begin(const State& initial) const {
  State state = inner().begin(initial);
  if (training())
    state.push_back(dropout_mask_by_row(initial[0].shape(), initial[0].dtype(), 0, rate_, rng_));
  return state;
}

State DropoutWrapper::step(const Variable& px, const State& state) const {
  if (!training()) return inner().step(px, state);
  const Variable& mask = state[state.size() - 1];
  State next = step_reading(state.recurrent() * mask, "recurrent dropout", px,
                            first_parts(state, state.size() - 1));
  next.push_back(mask);
  return next;
}

ZoneoutWrapper::ZoneoutWrapper(std::shared_ptr<Cell> inner, double rate, Rng& rng)
    : Wrapper(std::move(inner)), rate_(checked_rate("ZoneoutCell", rate)), rng_(rng.bits()) {}

// In training, the last two parts of the state say what is drawn next: a number of each row (B, 1),
// from which its draws follow, and the number of steps so far.
State ZoneoutWrapper::begin(const State& initial) const {
  State state = inner().begin(initial);
  if (!training()) return state;
  state.push_back(numbers_by_row(initial[0].size(0), rng_));
  state.push_back(Tensor::zeros({1}, DType::f64));
  return state;
}

State ZoneoutWrapper::step(const Variable& px, const State& state) const {
  const int own = training() ? 2 : 0, given = state.size() - own;
  const State inner_state = first_parts(state, given);
  State next = inner().step(px, inner_state);
  if (inner_state.recurrent_was_read()) state.recurrent();  // for a wrapper around this one
  const Widths widths = state_sizes();
  if (!training()) {
    for (int k = 0; k < static_cast<int>(widths.size()); ++k)
      next[k] = rate_ * state[k] + (1 - rate_) * next[k];
    return next;
  }
  const Variable &streams = state[given], &steps = state[given + 1];
  const double step = steps.item();
  std::vector<Tensor> keeps;
  for (Size width : widths) keeps.emplace_back(Shape{streams.size(0), width}, state[0].dtype());
  for (Size row = 0; row < streams.size(0); ++row) {
    Rng draws{static_cast<std::uint64_t>(streams.value().at(row) + step)};
    for (const Tensor& keep : keeps) draw_row(keep, row, rate_, &draws);
  }
  for (int k = 0; k < static_cast<int>(widths.size()); ++k)
    next[k] = where(Variable(keeps[static_cast<std::size_t>(k)]), state[k], next[k]);
  next.push_back(streams);
  next.push_back(Tensor::full({1}, step + 1, DType::f64));
  return next;
}

LayerNormWrapper::LayerNormWrapper(std::shared_ptr<Cell> inner) : Wrapper(std::move(inner)) {
  const Shape shape{state_sizes().front()};
  norm_weight = parameter("norm_weight", init::constant(shape, 1));
  norm_bias = parameter("norm_bias", init::zeros(shape));
}

State LayerNormWrapper::step(const Variable& px, const State& state) const {
  return step_reading(layer_norm(state.recurrent(), norm_weight, norm_bias), "LayerNormCell", px,
                      state);
}

ResidualWrapper::ResidualWrapper(std::shared_ptr<Cell> cell, Size input)
    : Wrapper(std::move(cell)), input_(input) {
  if (output_size() != input) {
    fail<OptionError>("ResidualCell: the output is {} wide, the input {}: they cannot be added",
                      output_size(), input);
  }
}

Variable ResidualWrapper::project(const Variable& inputs) const {
  const Variable px = inner().project(inputs);
  if (px.rank() != 3) {
    fail<ShapeError>("ResidualCell: the inner cell projects to {}; (time, batch, width) is needed",
                     px.shape());
  }
  return concat({px, inputs}, -1);
}

Variable ResidualWrapper::inner_part(const Variable& px) const {
  return slice(px, -1, 0, px.shape().back() - input_);
}

State ResidualWrapper::step(const Variable& px, const State& state) const {
  return inner().step(inner_part(px), state);
}

Variable ResidualWrapper::output(const Variable& px, const State& next) const {
  const Variable x = slice(px, -1, px.shape().back() - input_, input_);
  return inner().output(inner_part(px), next) + x;
}

}  // namespace hindsight::nn::detail
