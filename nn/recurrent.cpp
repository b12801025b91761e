#include <hindsight/autograd/dropout.h>
#include <hindsight/autograd/fused.h>
#include <hindsight/autograd/scope.h>
#include <hindsight/autograd/sequence.h>
#include <hindsight/autograd/shape_ops.h>
#include <hindsight/nn/mode.h>
#include <hindsight/nn/recurrent.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace hindsight::nn {
namespace {

enum class Direction { forward, reverse };

/// Which batch rows each time step belongs to: (T, B, 1), 1 inside of the row's length, else 0.
Variable row_masks(const std::vector<Size>& lengths, Size steps, DType dtype) {
  const auto batch = static_cast<Size>(lengths.size());
  const Tensor masks(Shape{steps, batch, 1}, dtype);
  for (Size t = 0; t < steps; ++t) {
    for (Size row = 0; row < batch; ++row)
      masks.set(t * batch + row, t < lengths[static_cast<std::size_t>(row)] ? 1 : 0);
  }
  return Variable(masks);
}

/// Inputs with zeros past each row's length, so that no result depends on what the padding holds.
Variable without_padding(const Variable& inputs, const std::vector<Size>& lengths) {
  const Size steps = inputs.size(0);
  if (lengths.empty() || *std::min_element(lengths.begin(), lengths.end()) == steps) return inputs;
  return where(row_masks(lengths, steps, inputs.dtype()), inputs, 0.0);
}

/// Time steps are projected in blocks of about this many rows: enough for a product at full speed,
/// few enough that the steps find the result, and the sweep its gradient, still in the cache.
constexpr Size kProjectedRows = 512;

/// What a layer reads: vectors (T, B, I), or symbols (T, B) in the first layer.
struct LayerInputs {
  Variable vectors;
  const Indices* symbols;

  Size steps() const { return symbols ? symbols->shape()[0] : vectors.size(0); }
  Size batch() const { return symbols ? symbols->shape()[1] : vectors.size(1); }
  Variable project(const Cell& cell, Size start, Size count) const {
    return symbols ? cell.project(symbols->rows(start, count))
                   : cell.project(slice(vectors, 0, start, count));
  }
};

/// The name of a scope, written without asking for memory.
class ScopeName {
 public:
  template <class... Arguments>
  explicit ScopeName(fmt::format_string<Arguments...> text, Arguments&&... arguments)
      : size_(fmt::format_to_n(text_.data(), text_.size(), text, arguments...).size) {}
  operator std::string_view() const { return {text_.data(), std::min(size_, text_.size())}; }

 private:
  std::array<char, 64> text_;
  std::size_t size_;
};

/// One layer in one direction; leaves the final state in *state.
Variable unroll_layer(const Cell& cell, const LayerInputs& inputs, const std::vector<Size>& lengths,
                      Direction direction, State* state) {
  const Size steps = inputs.steps(),
             block = std::max<Size>(1, kProjectedRows / std::max<Size>(1, inputs.batch()));
  const Size shortest = lengths.empty() ? steps : *std::min_element(lengths.begin(), lengths.end());
  const int parts = state->size();
  Variable masks;  // where a row is shorter than others
  if (shortest < steps) masks = row_masks(lengths, steps, (*state)[0].dtype());
  *state = cell.begin(*state);
  Sequence outputs(steps);
  Variable projected;
  for (Size i = 0; i < steps; ++i) {
    const bool forward = direction == Direction::forward;
    const Size t = forward ? i : steps - 1 - i, within = i % block,
               count = std::min(block, steps - (i - within));
    if (within == 0) {
      const Size start = forward ? t : t - count + 1;
      const Scope scope(ScopeName("projection of steps {} to {}", start, start + count - 1));
      projected = inputs.project(cell, start, count);
    }
    const Scope scope(TimeStep{t});
    State next = cell.step(projected[forward ? within : count - 1 - within], *state);
    if (next.size() != state->size()) {
      fail<ShapeError>("Recurrent: the cell's step returned a state of {} parts; it was given {}",
                       next.size(), state->size());
    }
    if (t < shortest) {
      next[0] = outputs.put(t, next[0]);
    } else {  // rows that are over keep their state and output zero
      const Variable inside = masks[t];
      outputs.put(t, where(inside, next[0], 0.0));
      for (int k = 0; k < parts; ++k) next[k] = where(inside, next[k], (*state)[k]);
    }
    *state = std::move(next);
  }
  state->resize(parts);
  return outputs.values();
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
  if (!options.initial.empty() && options.initial.size() != cells_.size()) {
    fail<ShapeError>("Recurrent: {} initial states for {} layers and directions",
                     options.initial.size(), cells_.size());
  }
}

Unrolled Unroller::unroll(const Variable& inputs, const Indices* symbols,
                          const UnrollOptions& options) {
  check_arguments(inputs, symbols, options);
  const Size batch = symbols ? symbols->shape()[1] : inputs.size(1);
  const std::size_t directions = options_.bidirectional ? 2 : 1;
  const DType dtype = cells_.front()->dtype();
  Unrolled result;
  const Scope scope(path_or("Recurrent"));
  Variable layer_inputs = symbols ? inputs : without_padding(inputs, options.lengths);
  for (std::size_t i = 0; i < cells_.size(); i += directions) {
    Variable outputs[2];
    for (std::size_t d = 0; d < directions; ++d) {
      const Cell& cell = *cells_[i + d];
      State state =
          options.initial.empty() ? zero_state(cell, batch, dtype) : options.initial[i + d];
      check_state(cell, state, batch, i + d);
      const Scope direction(ScopeName("layer {}{}", i / directions, d == 0 ? "" : " reverse"));
      const LayerInputs layer{layer_inputs, i == 0 ? symbols : nullptr};
      outputs[d] = unroll_layer(cell, layer, options.lengths,
                                d == 0 ? Direction::forward : Direction::reverse, &state);
      result.final.push_back(std::move(state));
    }
    layer_inputs = directions == 2 ? concat({outputs[0], outputs[1]}, -1) : outputs[0];
    const bool last = i + directions == cells_.size();
    if (!last && training()) layer_inputs = dropout(layer_inputs, options_.dropout, rng_);
  }
  result.outputs = layer_inputs;
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
    const Shape& got = state[static_cast<int>(k)].shape();
    if (got != wanted)
      fail<ShapeError>("Recurrent: part {} of initial state {} is {}; {} is needed", k, which, got,
                       wanted);
  }
}

}  // namespace hindsight::nn
