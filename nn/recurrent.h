#pragma once
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/nn/cell.h>

#include <memory>
#include <type_traits>
#include <vector>

namespace hindsight::nn {

struct RecurrentOptions {
  Size input = 0;   ///< I
  Size hidden = 0;  ///< H
  Size layers = 1;
  /// A second network reads each sequence from its end; the outputs of both are concatenated.
  bool bidirectional = false;
  double dropout = 0;  ///< on the output of every layer but the last, in training
};

/// The state of every layer; if bidirectional: layer 0 forward, layer 0 reverse, layer 1 ...
using States = pool::Vector<State>;

/// The results of unrolling a network. O is the width of a cell's output: H, or P if projected.
struct Unrolled {
  Variable outputs;  ///< (T, B, O) of the last layer; (T, B, 2 O) if bidirectional
  /// The state of each layer and direction after each row's own last step; parts (B, width) as in
  /// Cell::state_sizes().
  States final;
};

struct UnrollOptions {
  States initial = {};             ///< zeros when left out
  std::vector<Size> lengths = {};  ///< of each batch row; T for all when left out
  /// k > 0: saves only the state of every k-th step and recomputes the steps between in the reverse
  /// sweep (checkpoint()); k near sqrt(T) takes the least memory. 0: saves all.
  Size checkpoint_every = 0;
  bool final_only = false;  ///< leaves `outputs` empty, which saves memory for long sequences
};

/// Unrolls cells over time. After its length a row keeps its state and outputs zeros; the reverse
/// direction starts at each row's own last step.
class Unroller : public Module {
 public:
  /// inputs: (T, B, I), T > 0. ShapeError when shapes, states or the number of lengths do not fit,
  /// IndexError for a length outside of [1, T], OptionError for a negative checkpoint_every.
  Unrolled operator()(const Variable& inputs, const UnrollOptions& options = {});
  /// symbols: (T, B), each standing for a one-hot vector of width I. Errors likewise.
  Unrolled operator()(const Indices& symbols, const UnrollOptions& options = {});
  /// With initial states. (A template, so that braces mean UnrollOptions.)
  template <class Inputs, class S, std::enable_if_t<std::is_same_v<S, States>, int> = 0>
  Unrolled operator()(const Inputs& inputs, const S& initial) {
    return (*this)(inputs, UnrollOptions{initial, {}});
  }

  const RecurrentOptions& options() const { return options_; }

 protected:
  Unroller(const RecurrentOptions& options, Rng& rng);
  void add_cell(std::shared_ptr<Cell> cell);
  const Cell& cell_at(Size layer, Size direction) const;
  Size layer_input(Size layer) const;

 private:
  void check_arguments(const Variable& inputs, const Indices* symbols,
                       const UnrollOptions& options) const;
  Unrolled unroll(const Variable& inputs, const Indices* symbols, const UnrollOptions& options);
  static State zero_state(const Cell& cell, Size batch, DType dtype);
  static void check_state(const Cell& cell, const State& state, Size batch, std::size_t which);

  RecurrentOptions options_;
  std::vector<std::shared_ptr<Cell>> cells_;  // layer by layer, forward before reverse
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
    add_cells(rng, arguments...);
  }
  /// IndexError when out of range.
  const CellType& cell(Size layer, Size direction = 0) const {
    return static_cast<const CellType&>(cell_at(layer, direction));
  }

 private:
  template <class... Arguments>
  void add_cells(Rng& rng, const Arguments&... arguments) {
    for (Size layer = 0; layer < options().layers; ++layer) {
      for (int direction = 0; direction < (options().bidirectional ? 2 : 1); ++direction) {
        add_cell(
            std::make_shared<CellType>(layer_input(layer), options().hidden, rng, arguments...));
      }
    }
  }
};

}  // namespace hindsight::nn
