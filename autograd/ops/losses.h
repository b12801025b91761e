#pragma once
#include <hindsight/autograd/tape/variable.h>
#include <hindsight/autograd/tensor/indices.h>

#include <vector>

/// Losses, with PyTorch's names and numbers. Means are over all elements or targets unless said
/// otherwise. An empty batch has no losses: Reduction::none gives an empty result, sum gives 0, and
/// mean is a ShapeError (NaN in PyTorch).
namespace hindsight {

enum class Reduction { mean, sum, none };

struct LossOptions {
  Reduction reduction = Reduction::mean;
};

// Of numbers: prediction and target of one shape (ShapeError otherwise). Both receive gradients.

/// (p - t)^2
Variable mse_loss(const Variable& prediction, const Variable& target,
                  const LossOptions& options = {});
/// |p - t|
Variable l1_loss(const Variable& prediction, const Variable& target,
                 const LossOptions& options = {});

struct HuberOptions {
  Reduction reduction = Reduction::mean;
  double delta = 1;  ///< > 0
};
/// A square near zero, straight from delta on (Huber 1964): with d = p - t,
///   d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)
/// OptionError unless delta > 0.
Variable huber_loss(const Variable& prediction, const Variable& target,
                    const HuberOptions& options = {});

struct SmoothL1Options {
  Reduction reduction = Reduction::mean;
  double beta = 1;  ///< >= 0
};
/// Huber's loss divided by its threshold, beta: the slope of the straight part is 1. |p - t| where
/// beta is 0. OptionError unless beta >= 0.
Variable smooth_l1_loss(const Variable& prediction, const Variable& target,
                        const SmoothL1Options& options = {});

/// Binary cross-entropy in nats of logits x against probabilities t in [0, 1]. Its terms are not
/// negative, so neither overflow nor cancellation harms it.
///   -t log(sigmoid(x)) - (1 - t) log(1 - sigmoid(x))   dL/dx = (sigmoid(x) - t) g
Variable bce_with_logits(const Variable& logits, const Variable& target,
                         const LossOptions& options = {});

// Of classes: (..., C) against targets (...).

struct ClassOptions {
  Reduction reduction = Reduction::mean;  ///< the mean is weighted, over targets not ignored
  std::int64_t ignore = -100;             ///< targets of this value have loss and gradient 0
  Tensor weight = {};                     ///< (C,), of each class; 1 when left out
};
/// Negative log-likelihood: -weight[target] * log_probabilities[..., target]. ShapeError where
/// shapes do not fit, IndexError for a target outside of [0, C), Error for a mean of no targets.
Variable nll_loss(const Variable& log_probabilities, const Indices& targets,
                  const ClassOptions& options = {});

struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;  ///< as for nll_loss
  std::int64_t ignore = -100;
  Tensor weight = {};
  double label_smoothing = 0;  ///< share of the target's probability given to all classes evenly
};
/// Cross-entropy in nats of class logits (..., C) against target classes (...), computed from the
/// logits without overflow: -log softmax(logits)[target]. Smoothing by s, with class weights w:
///   (1 - s) w[target] * -log p[target] + s / C sum_c w[c] * -log p[c]
/// Errors as of nll_loss, and OptionError unless label_smoothing is in [0, 1].
///   dL/dlogits = (softmax(logits) - onehot(target)) * g, without weights and smoothing
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
/// alignments of a target with its input. log_probabilities: (T, B, C), of log_softmax; targets:
/// (B, S) -> (B,) for Reduction::none. A target that does not fit its input has an infinite loss
/// and the gradient 0. ShapeError where shapes or lengths do not fit, IndexError for a symbol or
/// blank outside of [0, C).
Variable ctc_loss(const Variable& log_probabilities, const Indices& targets,
                  const CtcOptions& options = {});

}  // namespace hindsight
