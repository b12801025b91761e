#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>

#include <vector>

/// Losses, with PyTorch's names and numbers. Reduction::none gives one loss for each element or
/// target, mean and sum a scalar (). Means are over all elements or targets unless said otherwise.
/// An empty batch has no losses: none gives an empty result, sum gives 0, and mean is a ShapeError
/// (NaN in PyTorch).
namespace hindsight {

enum class Reduction { mean, sum, none };

struct LossOptions {
  Reduction reduction = Reduction::mean;
};

// Of numbers: prediction and target have one shape S and one dtype (ShapeError, DTypeError) -> (),
// or S for Reduction::none. Both receive gradients.

/// Squared error, (p - t)^2 for each element.
Variable mse_loss(const Variable& prediction, const Variable& target,
                  const LossOptions& options = {});
/// Absolute error, |p - t| for each element.
Variable l1_loss(const Variable& prediction, const Variable& target,
                 const LossOptions& options = {});

struct HuberOptions {
  Reduction reduction = Reduction::mean;
  double delta = 1;  ///< > 0
};
/// Quadratic near zero and linear beyond delta (Huber 1964): with d = p - t for each element,
///   d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)
/// OptionError unless delta > 0.
Variable huber_loss(const Variable& prediction, const Variable& target,
                    const HuberOptions& options = {});

struct SmoothL1Options {
  Reduction reduction = Reduction::mean;
  double beta = 1;  ///< >= 0
};
/// Huber's loss divided by its threshold beta, so that the slope of the linear part is 1; |p - t|
/// where beta is 0. OptionError unless beta >= 0.
Variable smooth_l1_loss(const Variable& prediction, const Variable& target,
                        const SmoothL1Options& options = {});

/// Binary cross-entropy in nats of logits x against probabilities t in [0, 1], for each element. It
/// is computed from terms that are not negative, without overflow or cancellation.
///   -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x))   dL/dx = (sigmoid(x) - t) g
Variable bce_with_logits(const Variable& logits, const Variable& target,
                         const LossOptions& options = {});

// Of classes: (..., C) against targets (...) -> (), or (...) for Reduction::none.

struct ClassOptions {
  Reduction reduction = Reduction::mean;  ///< the mean is weighted, over targets not ignored
  std::int64_t ignore = -100;             ///< targets of this value have loss and gradient 0
  Tensor weight = {};                     ///< (C,), of each class; 1 when left out
};
/// Negative log-likelihood: -weight[target] * log_probabilities[..., target]. ShapeError when
/// shapes do not fit, IndexError for a target outside of [0, C) that is not ignored, Error for a
/// mean of targets that are all ignored or of weight 0.
Variable nll_loss(const Variable& log_probabilities, const Indices& targets,
                  const ClassOptions& options = {});

struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;  ///< as for nll_loss
  std::int64_t ignore = -100;
  Tensor weight = {};
  double label_smoothing = 0;  ///< share of the target's probability spread evenly over all classes
};
/// Cross-entropy in nats of class logits (..., C) against target classes (...), computed from the
/// logits without overflow: -log softmax(logits)[target]. Smoothing by s, with class weights w:
///   (1 - s) w[target] * -log p[target] + s / C sum_c w[c] * -log p[c]
/// Errors as for nll_loss, and OptionError unless label_smoothing is in [0, 1].
///   dL/dlogits = (softmax(logits) - one_hot(target)) * g, without weights and smoothing
Variable cross_entropy(const Variable& logits, const Indices& targets,
                       const CrossEntropyOptions& options = {});

// Of symbol sequences.

struct CtcOptions {
  Reduction reduction = Reduction::mean;  ///< of the losses divided by their targets' lengths
  std::vector<Size> input_lengths = {};   ///< of each batch row; T when left out
  std::vector<Size> target_lengths = {};  ///< of each batch row; S when left out
  Size blank = 0;                         ///< the class that stands for no symbol
  bool zero_infinity = false;  ///< 0 instead of infinity where a target does not fit its input
};
/// Connectionist temporal classification (Graves et al. 2006): -log of the probability of all
/// alignments of a target with its input, in nats. log_probabilities: (T, B, C), from log_softmax;
/// targets: (B, S) -> (), or (B,) for Reduction::none. A target that does not fit its input has an
/// infinite loss and the gradient 0. ShapeError when shapes or lengths do not fit, IndexError for a
/// symbol or blank outside of [0, C).
Variable ctc_loss(const Variable& log_probabilities, const Indices& targets,
                  const CtcOptions& options = {});

}  // namespace hindsight
