#include <hindsight/autograd/derivatives/checkpoint.h>
#include <hindsight/autograd/elementwise/elementwise.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/ops/sequence.h>
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/autograd/tape/tape.h>
#include <hindsight/nn/mode.h>
#include <hindsight/nn/recurrent.h>
#include <hindsight/nn/row_dropout.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace hindsight::nn {
namespace {

enum class Direction { forward, reverse };

/// Which batch rows are active at each time step: (T, B, 1), 1 within the row's length, else 0.
Variable row_masks(const std::vector<Size>& lengths, Size steps, DType dtype) {
  const auto batch = static_cast<Size>(lengths.size());
  const Tensor masks(Shape{steps, batch, 1}, dtype);
  for (Size t = 0; t < steps; ++t) {
    for (Size row = 0; row < batch; ++row)
      masks.set(t * batch + row, t < lengths[static_cast<std::size_t>(row)] ? 1 : 0);
  }
  return Variable(masks);
}

/// The inputs with zeros past each row's length, so that no result depends on the padding.
Variable without_padding(const Variable& inputs, const std::vector<Size>& lengths) {
  const Size steps = inputs.size(0);
  if (lengths.empty() || *std::min_element(lengths.begin(), lengths.end()) == steps) return inputs;
  return where(row_masks(lengths, steps, inputs.dtype()), inputs, 0.0);
}

/// Time steps are projected in blocks of about this many rows: enough for a product at full speed,
/// few enough that the result, and its gradient in the reverse sweep, are still in the cache when
/// the steps read them.
constexpr Size kProjectedRows = 512;

/// One layer in one direction, with all that its steps read, so that they can be rerun.
struct Layer {
  std::shared_ptr<const Cell> cell;
  Variable vectors;  ///< (T, B, I), or
  Indices symbols;   ///< (T, B)
  Direction direction;
  Size steps, batch;
  Variable masks;  ///< row_masks(), if some row is shorter than T
  Size shortest;   ///< length of a row
  bool trains;     ///< training() when it was unrolled

  bool forward() const { return direction == Direction::forward; }
  Size time_of(Size i) const { return forward() ? i : steps - 1 - i; }
  Variable project(Size start, Size count) const {
    return vectors ? cell->project(slice(vectors, 0, start, count))
                   : cell->project(symbols.rows(start, count));
  }
};

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

/// Keeps the state of finished rows and makes their output zero. Returns the output.
Variable freeze_finished(const Variable& inside, const State& before, int parts, State* next) {
  const Variable output = where(inside, (*next)[0], 0.0);
  for (int k = 0; k < parts; ++k) (*next)[k] = where(inside, (*next)[k], before[k]);
  return output;
}

/// Runs steps [begin, end), counted in the layer's direction, from *state, and leaves the state
/// after them there; only its first `parts` parts change. Returns their outputs in the order of
/// time.
Variable run_steps(const Layer& layer, Size begin, Size end, int parts, State* state) {
  const Size block = std::max<Size>(1, kProjectedRows / std::max<Size>(1, layer.batch));
  const Size earliest = std::min(layer.time_of(begin), layer.time_of(end - 1));
  Sequence outputs(end - begin);
  Variable projected;
  for (Size i = begin; i < end; ++i) {
    const Size t = layer.time_of(i), within = (i - begin) % block,
               count = std::min(block, end - (i - within));
    if (within == 0) {
      const Size start = layer.forward() ? t : t - count + 1;
      const Scope scope("projection", TimeSteps{start, start + count - 1});
      projected = layer.project(start, count);
    }
    const Scope scope(TimeStep{t});
    State next = layer.cell->step(projected[layer.forward() ? within : count - 1 - within], *state);
    if (next.size() != state->size()) {
      fail<ShapeError>("Recurrent: the cell's step returned a state of {} parts; it was given {}",
                       next.size(), state->size());
    }
    if (t < layer.shortest) {
      next[0] = outputs.put(t - earliest, next[0]);
    } else {
      outputs.put(t - earliest, freeze_finished(layer.masks[t], *state, parts, &next));
    }
    *state = std::move(next);
  }
  return outputs.values();
}

/// The same as a checkpoint; the result is empty if the outputs are not wanted.
Variable run_segment(const Layer& layer, Size begin, Size end, int parts, bool wants_outputs,
                     State* state) {
  const Size first = std::min(layer.time_of(begin), layer.time_of(end - 1));
  const Scope scope("segment", TimeSteps{first, first + end - begin - 1});
  const auto run = [=](const std::vector<Variable>& given) {
    const auto mode = layer.trains ? nullptr : std::make_unique<Evaluation>();
    State s;
    for (const Variable& part : given) s.push_back(part);
    const Variable outputs = run_steps(layer, begin, end, parts, &s);
    std::vector<Variable> results;
    for (int k = 0; k < parts; ++k) results.push_back(s[k]);
    if (wants_outputs) results.push_back(outputs);
    return results;
  };
  std::vector<Variable> given;
  for (int k = 0; k < state->size(); ++k) given.push_back((*state)[k]);
  const std::vector<Variable> results = checkpoint(run, given);
  for (int k = 0; k < parts; ++k) (*state)[k] = results[static_cast<std::size_t>(k)];
  return wants_outputs ? results.back() : Variable();
}

/// Runs all steps of a layer and leaves the final state in *state; the result is empty if the
/// outputs are not wanted.
Variable unroll_layer(const Layer& layer, Size checkpoint_every, bool wants_outputs, State* state) {
  const int parts = state->size();
  *state = layer.cell->begin(*state);
  Variable result;
  if (checkpoint_every > 0 && Tape::current()) {
    Sequence outputs(layer.steps);
    for (Size begin = 0; begin < layer.steps; begin += checkpoint_every) {
      const Size end = std::min(layer.steps, begin + checkpoint_every);
      const Variable part = run_segment(layer, begin, end, parts, wants_outputs, state);
      const Size first = std::min(layer.time_of(begin), layer.time_of(end - 1));
      if (wants_outputs) outputs.put_steps(first, part);
    }
    result = outputs.values();
  } else {
    result = run_steps(layer, 0, layer.steps, parts, state);
  }
  state->resize(parts);
  return wants_outputs ? result : Variable();
}

}  // namespace

Unroller::Unroller(const RecurrentOptions& options, Rng& rng)
    : options_(options), rng_(rng.bits()) {
  if (options.input < 1 || options.hidden < 1 || options.layers < 1) {
    fail<OptionError>("Recurrent: input {}, hidden {}, layers {}; each must be at least 1",
                      options.input, options.hidden, options.layers);
  }
  if (!(options.dropout >= 0 && options.dropout < 1))
    fail<OptionError>("Recurrent: dropout {} is outside of [0, 1)", options.dropout);
}

void Unroller::add_cell(std::shared_ptr<Cell> cell) {
  const std::size_t directions = options_.bidirectional ? 2 : 1;
  const std::size_t layer = cells_.size() / directions;
  const char* reverse = cells_.size() % directions == 1 ? "_reverse" : "";
  add_child("", fmt::format("_l{}{}", layer, reverse), *cell);
  cells_.push_back(std::move(cell));
}

const Cell& Unroller::cell_at(Size layer, Size direction) const {
  const Size directions = options_.bidirectional ? 2 : 1;
  if (layer < 0 || layer >= options_.layers || direction < 0 || direction >= directions) {
    fail<IndexError>("Recurrent: layer {}, direction {} of {} layers in {} directions", layer,
                     direction, options_.layers, directions);
  }
  return *cells_[static_cast<std::size_t>(layer * directions + direction)];
}

Size Unroller::layer_input(Size layer) const {
  if (layer == 0) return options_.input;
  return cells_.front()->state_sizes().front() * (options_.bidirectional ? 2 : 1);
}

Unrolled Unroller::operator()(const Variable& inputs, const UnrollOptions& options) {
  return unroll(inputs, nullptr, options);
}
Unrolled Unroller::operator()(const Indices& symbols, const UnrollOptions& options) {
  return unroll({}, &symbols, options);
}

void Unroller::check_arguments(const Variable& inputs, const Indices* symbols,
                               const UnrollOptions& options) const {
  if (symbols) symbols->check_given("Recurrent");
  if (!symbols && !inputs) fail("Recurrent: the inputs are an empty Variable");
  const Shape& shape = symbols ? symbols->shape() : inputs.shape();
  if (!symbols && (shape.rank() != 3 || shape[2] != options_.input || shape[0] == 0)) {
    fail<ShapeError>("Recurrent: inputs are {}; (time, batch, {}) with at least one step is needed",
                     shape, options_.input);
  }
  if (symbols && (shape.rank() != 2 || shape[0] == 0)) {
    fail<ShapeError>("Recurrent: symbols are {}; (time, batch) with at least one step is needed",
                     shape);
  }
  const Size steps = shape[0], batch = shape[1];
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
  if (!options.initial.empty() && options.initial.size() != cells_.size()) {
    fail<ShapeError>("Recurrent: {} initial states for {} layers and directions",
                     options.initial.size(), cells_.size());
  }
}

Unrolled Unroller::unroll(const Variable& inputs, const Indices* symbols,
                          const UnrollOptions& options) {
  check_arguments(inputs, symbols, options);
  const std::vector<Size>& lengths = options.lengths;
  const Shape& shape = symbols ? symbols->shape() : inputs.shape();
  const std::size_t directions = options_.bidirectional ? 2 : 1;
  const DType dtype = cells_.front()->dtype();
  Unrolled result;
  const Scope scope(path_or("Recurrent"));
  Layer layer{{},
              symbols ? Variable() : without_padding(inputs, lengths),
              symbols ? *symbols : Indices(),
              Direction::forward,
              shape[0],
              shape[1],
              {},
              lengths.empty() ? shape[0] : *std::min_element(lengths.begin(), lengths.end()),
              training()};
  if (layer.shortest < layer.steps) layer.masks = row_masks(lengths, layer.steps, dtype);
  for (std::size_t i = 0; i < cells_.size(); i += directions) {
    const bool last = i + directions == cells_.size();
    Variable outputs[2];
    for (std::size_t d = 0; d < directions; ++d) {
      layer.cell = cells_[i + d];
      layer.direction = d == 0 ? Direction::forward : Direction::reverse;
      State state = options.initial.empty() ? zero_state(*layer.cell, layer.batch, dtype)
                                            : options.initial[i + d];
      check_state(*layer.cell, state, layer.batch, i + d);
      const Scope direction(ScopeName("layer {}{}", i / directions, d == 0 ? "" : " reverse"));
      outputs[d] =
          unroll_layer(layer, options.checkpoint_every, !(last && options.final_only), &state);
      result.final.push_back(std::move(state));
    }
    if (last && options.final_only) break;
    layer.vectors = directions == 2 ? concat({outputs[0], outputs[1]}, -1) : outputs[0];
    if (!last && training())
      layer.vectors = dropout_by_row(layer.vectors, 1, options_.dropout, rng_);
  }
  if (!options.final_only) result.outputs = layer.vectors;
  return result;
}

State Unroller::zero_state(const Cell& cell, Size batch, DType dtype) {
  State state;
  for (Size width : cell.state_sizes())
    state.push_back(Variable(Tensor::zeros({batch, width}, dtype)));
  return state;
}

void Unroller::check_state(const Cell& cell, const State& state, Size batch, std::size_t which) {
  const Widths sizes = cell.state_sizes();
  if (static_cast<std::size_t>(state.size()) != sizes.size()) {
    fail<ShapeError>("Recurrent: initial state {} has {} parts; the cell carries {}", which,
                     state.size(), sizes.size());
  }
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    const Shape wanted{batch, sizes[k]};
    const Variable& part = state[static_cast<int>(k)];
    if (!part) fail("Recurrent: part {} of initial state {} is an empty Variable", k, which);
    const Shape& got = part.shape();
    if (got != wanted)
      fail<ShapeError>("Recurrent: part {} of initial state {} is {}; {} is needed", k, which, got,
                       wanted);
  }
}

}  // namespace hindsight::nn
