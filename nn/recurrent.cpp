#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/mode.h>
#include <hindsight/nn/recurrent.h>
#include <hindsight/nn/row_dropout.h>
#include <hindsight/nn/unroll.h>
#include <hindsight/nn/wrappers.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace hindsight::nn {
namespace {

using detail::Layer;
using detail::Packing;
using detail::StepResults;

/// A scope name, formatted on the stack.
class ScopeName {
 public:
  template <class... Arguments>
  explicit ScopeName(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    size_ =
        fmt::format_to_n(text_.data(), text_.size(), text, std::forward<Arguments>(arguments)...)
            .size;
  }
  operator std::string_view() const { return {text_.data(), std::min(size_, text_.size())}; }

 private:
  std::array<char, 64> text_;
  std::size_t size_ = 0;
};

/// The results of one layer in one direction from *state, whose parts are (B, width); leaves the
/// final state there.
StepResults run_layer(Layer layer, bool reverse, State* state) {
  const Packing& packing = *layer.packing;
  // Where they can, steps read the values in place, and only the steps are reversed.
  const bool scans = layer.cell->scans() && !layer.step_by_step;
  layer.backward_in_time = reverse;
  layer.in_place = !packing.ragged() && !scans;
  const bool reorders = reverse && !layer.in_place;
  if (reorders && layer.vectors) layer.vectors = packing.reversed(layer.vectors);
  if (reorders && layer.symbols) layer.symbols = packing.reversed(layer.symbols);
  *state = packing.sorted(layer.cell->begin(*state));
  StepResults results = unroll_layer(layer, state);
  *state = packing.unsorted(*state);
  if (reorders && results.outputs) results.outputs = packing.reversed(results.outputs);
  for (Variable& part : results.states) part = reorders ? packing.reversed(part) : part;
  return results;
}

void check_rate(const char* what, double value) {
  if (!(value >= 0 && value < 1))
    fail<OptionError>("Recurrent: {} {} is outside of [0, 1)", what, value);
}

}  // namespace

Unroller::Unroller(const RecurrentOptions& options, Rng& rng)
    : options_(options), rng_(rng.bits()) {
  if (options.input < 1 || options.hidden < 1 || options.layers < 1) {
    fail<OptionError>("Recurrent: input {}, hidden {}, layers {}; each must be at least 1",
                      options.input, options.hidden, options.layers);
  }
  if (options.reverse && options.bidirectional) {
    fail<OptionError>("Recurrent: reverse and bidirectional exclude each other");
  }
  check_rate("dropout", options.dropout);
  check_rate("recurrent_dropout", options.recurrent_dropout);
  check_rate("zoneout", options.zoneout);
}

void Unroller::add_cell(std::shared_ptr<Cell> cell, Rng& rng) {
  const std::size_t layer = cells_.size() / directions();
  const char* reverse = cells_.size() % directions() == 1 ? "_reverse" : "";
  const std::string suffix = fmt::format("_l{}{}", layer, reverse);
  unwrapped_.push_back(cell);
  if (options_.recurrent_dropout > 0)
    cell = std::make_shared<detail::DropoutWrapper>(cell, options_.recurrent_dropout, rng);
  if (options_.zoneout > 0)
    cell = std::make_shared<detail::ZoneoutWrapper>(cell, options_.zoneout, rng);
  if (options_.residual && layer > 0) {
    const bool joined = options_.bidirectional && options_.merge == Merge::concat;
    const Size input = layer_input(static_cast<Size>(layer)),
               output = cell->output_size() * (joined ? 2 : 1);
    if (output != input) {
      fail<OptionError>(
          "Recurrent: residual layer {} is {} wide, its input {}: they cannot be added", layer,
          output, input);
    }
  }
  add_child("", suffix, *cell);
  cells_.push_back(cell);
  if (!options_.learned_initial) return;
  initial_.emplace_back();
  for (Size width : cell->state_sizes()) {
    const std::string name = fmt::format("initial_{}{}", initial_.back().size(), suffix);
    initial_.back().push_back(parameter(name, init::zeros({width})));
  }
}

const Cell& Unroller::cell_at(Size layer, Size direction) const {
  const auto all_layers = static_cast<Size>(layers()), ways = static_cast<Size>(directions());
  if (layer < 0 || layer >= all_layers || direction < 0 || direction >= ways) {
    fail<IndexError>("Recurrent: layer {}, direction {} of {} layers in {} directions", layer,
                     direction, all_layers, ways);
  }
  return *unwrapped_[static_cast<std::size_t>(layer * ways + direction)];
}

Size Unroller::layer_input(Size layer) const {
  if (layer == 0) return options_.input;
  const Size below = cells_[(static_cast<std::size_t>(layer) - 1) * directions()]->output_size();
  return options_.bidirectional && options_.merge == Merge::concat ? 2 * below : below;
}

Size Unroller::output_size() const { return layer_input(static_cast<Size>(layers())); }

Unrolled Unroller::operator()(const Variable& inputs, const UnrollOptions& options) {
  return unroll(inputs, nullptr, options);
}
Unrolled Unroller::operator()(const Indices& symbols, const UnrollOptions& options) {
  return unroll({}, &symbols, options);
}
Stepped Unroller::step(const Variable& x, const States& states) { return step(x, nullptr, states); }
Stepped Unroller::step(const Indices& symbols, const States& states) {
  return step({}, &symbols, states);
}

void Unroller::check_arguments(const Variable& inputs, const Indices* symbols,
                               const UnrollOptions& options) const {
  if (cells_.empty()) fail("Recurrent: the network has no cells: add some first");
  if (symbols) symbols->check_given("Recurrent");
  if (!symbols && !inputs) fail("Recurrent: the inputs are an empty Variable");
  const Shape& shape = symbols ? symbols->shape() : inputs.shape();
  const int time = options_.batch_first ? 1 : 0;
  const char* axes = options_.batch_first ? "batch, time" : "time, batch";
  if (!symbols && (shape.rank() != 3 || shape[2] != options_.input || shape[time] == 0)) {
    fail<ShapeError>("Recurrent: inputs are {}; ({}, {}) with at least one step is needed", shape,
                     axes, options_.input);
  }
  if (symbols && (shape.rank() != 2 || shape[time] == 0)) {
    fail<ShapeError>("Recurrent: symbols are {}; ({}) with at least one step is needed", shape,
                     axes);
  }
  const Size steps = shape[time], batch = shape[1 - time];
  if (!options.lengths.empty() && static_cast<Size>(options.lengths.size()) != batch) {
    fail<ShapeError>("Recurrent: {} lengths for a batch of {}", options.lengths.size(), batch);
  }
  for (Size length : options.lengths) {
    if (length < 1 || length > steps)
      fail<IndexError>("Recurrent: length {} is outside of [1, {}]", length, steps);
  }
  if (options.checkpoint_every < 0) {
    fail<OptionError>(
        "Recurrent: checkpoint_every is {}; a number of steps, or 0 for none, is needed",
        options.checkpoint_every);
  }
}

void Unroller::check_states(const States& states, Size batch) const {
  if (states.size() != cells_.size()) {
    fail<ShapeError>("Recurrent: {} initial states for {} layers and directions", states.size(),
                     cells_.size());
  }
  for (std::size_t i = 0; i < states.size(); ++i) {
    const Widths widths = cells_[i]->state_sizes();
    if (static_cast<std::size_t>(states[i].size()) != widths.size()) {
      fail<ShapeError>("Recurrent: initial state {} has {} parts; the cell carries {}", i,
                       states[i].size(), widths.size());
    }
    for (std::size_t k = 0; k < widths.size(); ++k) {
      const Variable& part = states[i][static_cast<int>(k)];
      if (!part) fail("Recurrent: part {} of initial state {} is an empty Variable", k, i);
      const Shape wanted{batch, widths[k]};
      if (part.shape() != wanted) {
        fail<ShapeError>("Recurrent: part {} of initial state {} is {}; {} is needed", k, i,
                         part.shape(), wanted);
      }
    }
  }
}

States Unroller::initial_states(Size batch) const { return initial_states(batch, {}); }

States Unroller::initial_states(Size batch, const Variable& inputs) const {
  States states;
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    const Widths widths = cells_[i]->state_sizes();
    State state;
    for (std::size_t k = 0; k < widths.size(); ++k) {
      const Shape shape{batch, widths[k]};
      state.push_back(initial_.empty() ? Variable(Tensor::zeros(
                                             shape, inputs ? inputs.dtype() : cells_[i]->dtype()))
                                       : contiguous(broadcast_to(initial_[i][k], shape)));
    }
    states.push_back(std::move(state));
  }
  return states;
}

Variable Unroller::merged(const Variable& forward, const Variable& reverse) const {
  switch (options_.merge) {
    case Merge::sum:
      return forward + reverse;
    case Merge::mean:
      return 0.5 * (forward + reverse);
    case Merge::mul:
      return forward * reverse;
    default:
      return concat({forward, reverse}, -1);
  }
}

/// What the layers of one unrolled run share.
struct Unroller::Run {
  const UnrollOptions& options;
  States initial;
  std::shared_ptr<const Packing> packing;
  Variable vectors;  // the inputs of the current layer in the order of the packing, or
  Indices symbols;
  Unrolled result;
};

Unrolled Unroller::unroll(const Variable& inputs, const Indices* symbols,
                          const UnrollOptions& options) {
  check_arguments(inputs, symbols, options);
  const Shape& shape = symbols ? symbols->shape() : inputs.shape();
  const int time = options_.batch_first ? 1 : 0;
  const Size steps = shape[time], batch = shape[1 - time];
  const Scope scope(path_or("Recurrent"));
  Run run{options, options.initial.empty() ? initial_states(batch, inputs) : options.initial,
          {},      {},
          {},      {}};
  check_states(run.initial, batch);
  run.packing = std::allocate_shared<const Packing>(pool::Allocator<Packing>(), steps, batch,
                                                    options.lengths, options_.batch_first);
  if (symbols) run.symbols = run.packing->pack(*symbols);
  if (!symbols) run.vectors = run.packing->pack(inputs);
  for (std::size_t layer = 0; layer < layers(); ++layer) {
    const bool last = layer + 1 == layers();
    Variable output = layer_output(layer, !(last && options.final_only), &run);
    if (!output) return std::move(run.result);
    if (options_.residual && layer > 0) output = output + run.vectors;
    if (!last && training() && options_.dropout > 0)
      output = output * run.packing->pack(dropout_mask(batch, steps, output));
    run.vectors = output;
    run.symbols = Indices();
  }
  run.result.outputs = run.packing->unpack(run.vectors);
  return std::move(run.result);
}

/// For outputs (..., W) of that many sequences and steps, in the order of the inputs.
Tensor Unroller::dropout_mask(Size batch, Size steps, const Variable& outputs) {
  const bool first = options_.batch_first;
  const Shape shape{first ? batch : steps, first ? steps : batch, outputs.shape().back()};
  return dropout_mask_by_row(shape, outputs.dtype(), first ? 0 : 1, options_.dropout, rng_);
}

/// Of all directions, merged; empty if not wanted.
Variable Unroller::layer_output(std::size_t index, bool wanted, Run* run) const {
  const Packing& packing = *run->packing;
  Variable outputs[2];
  for (std::size_t d = 0; d < directions(); ++d) {
    const Scope direction(ScopeName("layer {}{}{}", index, d == 0 ? "" : " reverse",
                                    packing.sorts() ? " with the longest sequences first" : ""));
    Layer layer;
    layer.cell = cells_[index * directions() + d];
    layer.vectors = run->vectors;
    layer.symbols = run->symbols;
    layer.packing = run->packing;
    layer.wants_outputs = wanted;
    layer.wants_states = run->options.all_states;
    layer.step_by_step = run->options.step_by_step;
    layer.trains = training();
    layer.checkpoint_every = run->options.checkpoint_every;
    State state = run->initial[index * directions() + d];
    const StepResults steps = run_layer(layer, options_.reverse || d == 1, &state);
    outputs[d] = steps.outputs;
    run->result.final.push_back(std::move(state));
    if (!run->options.all_states) continue;
    run->result.states.emplace_back();
    for (const Variable& part : steps.states)
      run->result.states.back().push_back(packing.unpack(part));
  }
  return wanted && directions() == 2 ? merged(outputs[0], outputs[1]) : outputs[0];
}

Stepped Unroller::step(const Variable& x, const Indices* symbols, const States& states) {
  if (options_.bidirectional || options_.reverse)
    fail<OptionError>("Recurrent: a network that reads from the end cannot take single steps");
  if (cells_.empty()) fail("Recurrent: the network has no cells: add some first");
  const Shape& shape = symbols ? symbols->shape() : x.shape();
  if (symbols ? shape.rank() != 1 : shape.rank() != 2 || shape[1] != options_.input) {
    fail<ShapeError>("Recurrent: the input of a step is {}; {} is needed", shape,
                     symbols ? "(batch)" : fmt::format("(batch, {})", options_.input));
  }
  const Scope scope(path_or("Recurrent"));
  Stepped result;
  result.states = states.empty() ? initial_states(shape[0], x) : states;
  check_states(result.states, shape[0]);
  Variable input = x;
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    const Scope layer(ScopeName("layer {}", i));
    const Cell& cell = *cells_[i];
    State& state = result.states[i];
    const Variable px = symbols && i == 0 ? cell.project(detail::as_row(*symbols))[0]
                                          : cell.project(unsqueeze(input, 0))[0];
    const int parts = state.size();
    state = cell.step(px, cell.begin(state));
    Variable output = cell.output(px, state);
    state.resize(parts);
    if (options_.residual && i > 0) output = output + input;
    if (i + 1 < cells_.size() && training())
      output = dropout_by_row(output, 0, options_.dropout, rng_);
    input = output;
  }
  result.output = input;
  return result;
}

Stack::Stack(const RecurrentOptions& options, Rng& rng)
    : Unroller(
          [&] {
            RecurrentOptions checked = options;
            checked.hidden = checked.layers = 1;
            return checked;
          }(),
          rng) {}

}  // namespace hindsight::nn
