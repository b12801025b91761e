#pragma once
#include <hindsight/autograd/tensor/random.h>
#include <hindsight/autograd/tensor/tensor.h>

#include <functional>

/// Initial values of parameters, in float32. Matrices are (outputs, inputs) as in PyTorch: the fan
/// in is the number of columns, the fan out that of rows. The functions for matrices throw
/// ShapeError for other ranks.
namespace hindsight::nn::init {

// Any shape --------------------------------------------------------------------------------------

Tensor zeros(const Shape& shape);
Tensor constant(const Shape& shape, double value);
/// Uniform in [-bound, bound).
Tensor uniform(const Shape& shape, double bound, Rng& rng);
/// Normal with mean 0.
Tensor normal(const Shape& shape, double deviation, Rng& rng);

// Matrices whose scale follows from their sizes --------------------------------------------------

/// Uniform with the bound sqrt(6 / (fan in + fan out)), the deviation of glorot_normal (Glorot &
/// Bengio 2010).
Tensor glorot(const Shape& shape, Rng& rng);
/// Normal with the deviation sqrt(2 / (fan in + fan out)) (Glorot & Bengio 2010).
Tensor glorot_normal(const Shape& shape, Rng& rng);
/// Uniform with the bound sqrt(6 / fan in), the deviation of he_normal.
Tensor he_uniform(const Shape& shape, Rng& rng);
/// Normal with the deviation sqrt(2 / fan in), for inputs of relu (He et al. 2015, arXiv
/// 1502.01852).
Tensor he_normal(const Shape& shape, Rng& rng);
/// Uniform with the bound sqrt(3 / fan in), the deviation of lecun_normal.
Tensor lecun_uniform(const Shape& shape, Rng& rng);
/// Normal with the deviation sqrt(1 / fan in) (LeCun et al. 1998, "Efficient BackProp").
Tensor lecun_normal(const Shape& shape, Rng& rng);

// Recurrent matrices -----------------------------------------------------------------------------

/// The identity matrix (size, size) times `scale` (Le, Jaitly & Hinton 2015).
Tensor identity(Size size, double scale = 1);
/// A matrix with orthonormal rows or columns, whichever are fewer, times `scale` (Saxe et al.
/// 2014), by applying Gram-Schmidt twice to normal vectors. For cells with gates see per_gate.
Tensor orthogonal(const Shape& shape, Rng& rng, double scale = 1);
/// Exactly `links` incoming links per row, in columns drawn without repetition, with normal
/// weights; all others are 0 (Martens & Sutskever 2011: 15 links). OptionError unless links is in
/// [1, columns] and the deviation is positive and finite.
Tensor sparse(const Shape& shape, Size links, double deviation, Rng& rng);
/// The same with weights drawn by `draw`.
Tensor sparse(const Shape& shape, Size links, const std::function<double()>& draw, Rng& rng);
/// Parameters of cells with gates, drawn gate by gate: `draw` is called with the shape of one of
/// `gates` equal blocks of rows. An orthogonal (4H, H) matrix would have gates of singular values
/// around 0.5; this one has four orthogonal gates:
///   per_gate(4, {4 * H, H}, [&](const Shape& gate) { return orthogonal(gate, rng); })
/// OptionError for less than one gate, ShapeError when the rows are not a multiple of `gates` or a
/// drawn block has another shape.
Tensor per_gate(Size gates, const Shape& shape, const std::function<Tensor(const Shape&)>& draw);

/// The largest modulus of an eigenvalue, computed in double; 0 when a power of the matrix is 0 up
/// to rounding (nilpotent). ShapeError unless the matrix is square with at least one row,
/// NonFiniteError for NaN and infinite elements.
double spectral_radius(const Tensor& matrix);
/// The matrix times radius / spectral_radius(matrix), in its dtype (Jaeger 2001). OptionError
/// unless the radius is positive and finite, and for a nilpotent matrix; else as spectral_radius.
Tensor with_spectral_radius(const Tensor& matrix, double radius);

// Biases by the length of sequences --------------------------------------------------------------

/// (hidden,): biases ln u, u uniform in [1, longest - 1), of gates that keep the state: sigmoid of
/// it is in [1/2, 1 - 1/longest], so that memories last up to `longest` time steps (Tallec &
/// Ollivier 2018, arXiv 1804.11188). OptionError unless longest is at least 2.
Tensor chrono(Size hidden, Size longest, Rng& rng);
/// (4 hidden,): the bias of an Lstm with gates i, f, g, o: -b, b, 0, 0 with b = chrono(...). The
/// LSTM adds two biases: assign this one to bias_ih, and zeros to bias_hh. Errors as for chrono.
Tensor chrono_lstm(Size hidden, Size longest, Rng& rng);

// The networks of Pascanu, Mikolov & Bengio 2013 -------------------------------------------------

/// How "On the difficulty of training recurrent neural networks" (arXiv 1211.5063) initialises its
/// networks with biases 0; D is the standard deviation of all weights.
enum class Pascanu {
  sigmoid,     ///< D = 0.01, for sigmoid units
  basic_tanh,  ///< D = 0.1, for tanh units
  smart_tanh,  ///< D = 0.01, for tanh units; weight_hh with 15 links and spectral radius 0.95
};
struct PascanuSizes {
  Size input = 0, hidden = 0, output = 0;
};
struct PascanuWeights {
  Tensor weight_ih, weight_hh, weight_ho;  ///< (H, I), (H, H), (O, H)
};
/// Links are incoming, as the paper has it (its code has 15 outgoing ones); units fewer than 15 are
/// all linked. OptionError unless all sizes are at least 1.
PascanuWeights pascanu(Pascanu scheme, const PascanuSizes& sizes, Rng& rng);

}  // namespace hindsight::nn::init
