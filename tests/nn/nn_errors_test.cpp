// Every error message of parameters, modules and recurrent networks, word for word.
#include <hindsight/nn/nn.h>

#include "errors.h"
#include "nn/recurrent_support.h"

namespace hindsight::test {
namespace {

TEST_CASE("parameters and modules") {
  Parameter w("layer.w", Tensor::zeros({2, 3}));
  rejects<ShapeError>("parameter layer.w: a value of shape (3,) cannot replace one of shape (2, 3)",
                      [&] { w.assign(Tensor::zeros({3})); });
  Rng rng(1);
  rejects<OptionError>("Linear: 0 inputs and 2 outputs; at least 1 of each is needed",
                       [&] { nn::Linear({.outputs = 2}, rng); });
  rejects<OptionError>("Embedding: 3 symbols of width 0; at least 1 of each is needed",
                       [&] { nn::Embedding({.symbols = 3}, rng); });
  rejects<OptionError>("Dropout: rate 1 is outside of [0, 1)", [&] { nn::Dropout(1, rng); });
  rejects<ShapeError>("init::glorot: shape (3,); a matrix is needed",
                      [&] { nn::init::glorot({3}, rng); });
  rejects<ShapeError>("init::orthogonal: shape (3, 2, 1); a matrix is needed", [&] {
    nn::init::orthogonal({3, 2, 1}, rng);
  });
}

TEST_CASE("recurrent networks") {
  Rng rng(1);
  rejects<OptionError>("Recurrent: input 0, hidden 3, layers 1; each must be at least 1",
                       [&] { nn::Lstm({.hidden = 3}, rng); });
  rejects<OptionError>("Recurrent: input 2, hidden 3, layers 0; each must be at least 1",
                       [&] { nn::Lstm({.input = 2, .hidden = 3, .layers = 0}, rng); });
  rejects<OptionError>("Recurrent: dropout 1.5 is outside of [0, 1)",
                       [&] { nn::Lstm({.input = 2, .hidden = 3, .dropout = 1.5}, rng); });
  rejects<OptionError>("LstmCell: projection 3 is outside of [0, 3)", [&] {
    nn::Lstm({.input = 2, .hidden = 3}, rng, nn::LstmOptions{.projection = 3});
  });
  rejects<OptionError>("LstmCell: projection -1 is outside of [0, 3)", [&] {
    nn::Lstm({.input = 2, .hidden = 3}, rng, nn::LstmOptions{.projection = -1});
  });
  nn::Lstm lstm({.input = 2, .hidden = 3}, rng);
  rejects<IndexError>("Recurrent: layer 1, direction 0 of 1 layers in 1 directions",
                      [&] { lstm.cell(1); });
  rejects<IndexError>("Recurrent: layer 0, direction 1 of 1 layers in 1 directions",
                      [&] { lstm.cell(0, 1); });
  rejects<IndexError>("Recurrent: layer -1, direction 0 of 1 layers in 1 directions",
                      [&] { lstm.cell(-1); });
  const Variable x = value({4, 5, 2});
  rejects<ShapeError>(
      "Recurrent: inputs are (4, 2); (time, batch, 2) with at least one step is needed", [&] {
        lstm(value({4, 2}));
      });
  rejects<ShapeError>(
      "Recurrent: inputs are (4, 5, 3); (time, batch, 2) with at least one step is needed", [&] {
        lstm(value({4, 5, 3}));
      });
  rejects<ShapeError>(
      "Recurrent: inputs are (0, 5, 2); (time, batch, 2) with at least one step is needed", [&] {
        lstm(value({0, 5, 2}));
      });
  rejects<ShapeError>("Recurrent: symbols are (3,); (time, batch) with at least one step is needed",
                      [&] {
                        lstm(Indices(std::vector<int>{0, 1, 0}));
                      });
  rejects<IndexError>("take: index 2 at position 1 is outside of [0, 2)", [&] {
    lstm(Indices(std::vector<int>{0, 2}, {2, 1}));
  });
  rejects<ShapeError>("Recurrent: 2 lengths for a batch of 5", [&] {
    lstm(x, nn::UnrollOptions{{}, {1, 2}});
  });
  rejects<IndexError>("Recurrent: length 0 is outside of [1, 4]", [&] {
    lstm(x, nn::UnrollOptions{{}, {1, 2, 0, 4, 4}});
  });
  rejects<IndexError>("Recurrent: length 5 is outside of [1, 4]", [&] {
    lstm(x, nn::UnrollOptions{{}, {1, 2, 5, 4, 4}});
  });
  const nn::State state{value({5, 3}), value({5, 3})};
  rejects<ShapeError>("Recurrent: 2 initial states for 1 layers and directions", [&] {
    lstm(x, nn::States{state, state});
  });
  rejects<ShapeError>("Recurrent: initial state 0 has 1 parts; the cell carries 2", [&] {
    lstm(x, nn::States{{value({5, 3})}});
  });
  rejects<ShapeError>("Recurrent: part 1 of initial state 0 is (4, 3); (5, 3) is needed", [&] {
    lstm(x, nn::States{{value({5, 3}), value({4, 3})}});
  });
  rejects<DTypeError>("matmul: float64 and float32 operands are mixed; convert one", [&] {
    lstm(value({4, 5, 2}, DType::f64));
  });
  nn::Recurrent<PlainCell> vectors({.input = 3, .hidden = 3}, rng);
  rejects<Error>("Recurrent: this cell takes vectors, not symbols: embed them first", [&] {
    vectors(Indices(std::vector<int>{0, 1}, {2, 1}));
  });
}

}  // namespace
}  // namespace hindsight::test
