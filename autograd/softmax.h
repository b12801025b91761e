#pragma once
#include <hindsight/autograd/indices.h>
#include <hindsight/autograd/variable.h>

namespace hindsight {

/// x - log(sum(exp(x))) along `axis`, computed from x - max(x), so that no exponential overflows.
///   dL/dx = g - exp(y) * sum(g)
Variable log_softmax(const Variable& x, int axis = -1);

enum class Reduction { mean, sum, none };

struct CrossEntropyOptions {
  Reduction reduction = Reduction::mean;  ///< over all targets; none: one loss a target
};

/// Cross-entropy in nats of class logits (..., C) against target classes (...): -log
/// softmax(logits)[target], computed from the logits without overflow. IndexError names a target
/// outside [0, C).
///   dL/dlogits = (softmax(logits) - onehot(target)) * g
Variable cross_entropy(const Variable& logits, const Indices& targets,
                       const CrossEntropyOptions& options = {});

}  // namespace hindsight
