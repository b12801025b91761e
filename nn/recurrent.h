#pragma once
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/nn/cell.h>

#include <memory>
#include <type_traits>
#include <vector>

namespace hindsight::nn {

/// How the outputs of both directions become one.
enum class Merge { concat, sum, mean, mul };

struct RecurrentOptions {
  Size input = 0;   ///< I
  Size hidden = 0;  ///< H
  Size layers = 1;
  /// A second network reads each sequence from its end; the outputs of both are merged.
  bool bidirectional = false;
  double dropout = 0;    ///< on the output of every layer but the last, in training
  bool reverse = false;  ///< every layer reads each sequence from its end; not if bidirectional
  Merge merge = Merge::concat;
  /// Inputs and outputs are (B, T, ...) instead of (T, B, ...); states stay (B, width).
  bool batch_first = false;
  /// Every layer but the first adds its input to its output (He et al. 2016).
  bool residual = false;
  /// Of the state that the products of a step read, with one mask for the whole sequence, in
  /// training (Gal & Ghahramani 2016): DropoutCell around every cell.
  double recurrent_dropout = 0;
  double zoneout = 0;  ///< ZoneoutCell around every cell, with this rate for each part of the state
  /// Initial states that are not given are parameters, "initial_0_l0" for part 0 of layer 0, which
  /// start at zero, instead of zeros.
  bool learned_initial = false;
};

/// The state of every layer; if bidirectional: layer 0 forward, layer 0 reverse, layer 1 ...
using States = pool::Vector<State>;

/// The results of unrolling a network. O is the width of a cell's output: H, or P if projected.
struct Unrolled {
  /// (T, B, O) of the last layer, (T, B, 2 O) if both directions are joined; (B, T, ...) if
  /// batch_first.
  Variable outputs;
  /// The state of each layer and direction after each row's own last step; parts (B, width) as in
  /// Cell::state_sizes().
  States final;
  /// If asked for: the state of each layer and direction after every step; parts (T, B, width), or
  /// (B, T, width) if batch_first, zeros after a row's length.
  States states = {};
};

struct UnrollOptions {
  States initial = {};             ///< zeros when left out
  std::vector<Size> lengths = {};  ///< of each batch row; T for all when left out
  /// k > 0: saves only the state of every k-th step and recomputes the steps between in the reverse
  /// sweep (checkpoint()); k near sqrt(T) takes the least memory. 0: saves all.
  Size checkpoint_every = 0;
  bool final_only = false;    ///< leaves `outputs` empty, which saves memory for long sequences
  bool all_states = false;    ///< fills `states`
  bool step_by_step = false;  ///< linear recurrences take single steps instead of one scan
};

/// One time step of a network.
struct Stepped {
  Variable output;  ///< (B, O)
  States states;
};

/// Unrolls cells over time. After its length a row keeps its state and outputs zeros; the reverse
/// direction starts at each row's own last step. No work is done on padding.
class Unroller : public Module {
 public:
  /// inputs: (T, B, I), or (B, T, I) if batch_first; T > 0. ShapeError when shapes, states or the
  /// number of lengths do not fit, or a cell's step returns another shape than its state_sizes();
  /// IndexError for a length outside of [1, T], OptionError for a negative checkpoint_every.
  Unrolled operator()(const Variable& inputs, const UnrollOptions& options = {});
  /// symbols: (T, B) or (B, T), each standing for a one-hot vector of width I. Errors likewise.
  Unrolled operator()(const Indices& symbols, const UnrollOptions& options = {});
  /// With initial states. (A template, so that braces mean UnrollOptions.)
  template <class Inputs, class S, std::enable_if_t<std::is_same_v<S, States>, int> = 0>
  Unrolled operator()(const Inputs& inputs, const S& initial) {
    return (*this)(inputs, UnrollOptions{initial, {}});
  }

  /// One time step through all layers, for decoding. x: (B, I); symbols: (B,); states: those of the
  /// step before, or of the start if empty. In evaluation the numbers are those of an unrolled run;
  /// in training, recurrent dropout draws anew for each step. Errors likewise, and OptionError if
  /// bidirectional or reverse.
  Stepped step(const Variable& x, const States& states = {});
  Stepped step(const Indices& symbols, const States& states = {});

  /// The states at the start of a sequence: zeros, or the learned ones.
  States initial_states(Size batch) const;
  const RecurrentOptions& options() const { return options_; }
  Size output_size() const;  ///< O, or 2 O if both directions are joined
  /// Every cell, without wrappers that options added: layer by layer, forward before reverse.
  const std::vector<std::shared_ptr<Cell>>& cells() const { return unwrapped_; }

 protected:
  Unroller(const RecurrentOptions& options, Rng& rng);
  /// Adds a cell for the next direction or layer, wrapped as the options ask for.
  void add_cell(std::shared_ptr<Cell> cell, Rng& rng);
  const Cell& cell_at(Size layer, Size direction) const;
  /// The width of the input of a layer whose lower layers have been added.
  Size layer_input(Size layer) const;
  std::size_t directions() const { return options_.bidirectional ? 2 : 1; }
  std::size_t layers() const { return cells_.size() / directions(); }

 private:
  void check_arguments(const Variable& inputs, const Indices* symbols,
                       const UnrollOptions& options) const;
  void check_states(const States& states, Size batch) const;
  /// Zeros in the dtype of the inputs, which a cell without parameters leaves open; in the cells'
  /// dtype if `inputs` is empty.
  States initial_states(Size batch, const Variable& inputs) const;
  struct Run;
  Unrolled unroll(const Variable& inputs, const Indices* symbols, const UnrollOptions& options);
  Variable layer_output(std::size_t index, bool wanted, Run* run) const;
  Tensor dropout_mask(Size batch, Size steps, const Variable& outputs);
  Stepped step(const Variable& x, const Indices* symbols, const States& states);
  Variable merged(const Variable& forward, const Variable& reverse) const;

  RecurrentOptions options_;
  std::vector<std::shared_ptr<Cell>> cells_;      // layer by layer, forward before reverse
  std::vector<std::shared_ptr<Cell>> unwrapped_;  // the same as they were added
  std::vector<std::vector<Parameter>> initial_;   // of each cell's parts, if learned
  Rng rng_;
};

/// A recurrent network of cells of one type. Arguments after the Rng are passed to each cell's
/// constructor, CellType(input, hidden, rng, arguments...). Parameters have the cell's names with
/// PyTorch's suffixes: weight_ih_l0, weight_ih_l0_reverse, weight_ih_l1 ... OptionError for options
/// out of range.
template <class CellType>
class Recurrent : public Unroller {
 public:
  template <class... Arguments>
  Recurrent(const RecurrentOptions& options, Rng& rng, const Arguments&... arguments)
      : Unroller(options, rng) {
    for (Size layer = 0; layer < options.layers; ++layer) {
      for (std::size_t direction = 0; direction < directions(); ++direction) {
        add_cell(std::make_shared<CellType>(layer_input(layer), options.hidden, rng, arguments...),
                 rng);
      }
    }
  }
  /// IndexError when out of range.
  const CellType& cell(Size layer, Size direction = 0) const {
    return static_cast<const CellType&>(cell_at(layer, direction));
  }
};

/// A recurrent network of different cells, added from the lowest layer on. The options `hidden` and
/// `layers` are those of the cells. Parameters are named as in Recurrent.
///
///   nn::Stack network({.input = 3}, rng);
///   network.add<nn::GruCell>(8, rng);
///   network.add<nn::LstmCell>(6, rng, nn::LstmOptions{.projection = 4});
class Stack : public Unroller {
 public:
  Stack(const RecurrentOptions& options, Rng& rng);
  /// Adds a layer CellType(input, hidden, rng, arguments...), in both directions if bidirectional.
  template <class CellType, class... Arguments>
  Stack& add(Size hidden, Rng& rng, const Arguments&... arguments) {
    const auto layer = static_cast<Size>(layers());
    const Size input = layer_input(layer);
    for (std::size_t direction = 0; direction < directions(); ++direction)
      add_cell(std::make_shared<CellType>(input, hidden, rng, arguments...), rng);
    return *this;
  }
  /// The cell of a layer and direction. IndexError when out of range.
  const Cell& cell(Size layer, Size direction = 0) const { return cell_at(layer, direction); }
};

}  // namespace hindsight::nn
