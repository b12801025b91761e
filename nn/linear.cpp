#include <hindsight/autograd/ops/matmul.h>
#include <hindsight/autograd/ops/rearrange.h>
#include <hindsight/autograd/tape/scope.h>
#include <hindsight/nn/init.h>
#include <hindsight/nn/linear.h>

#include <cmath>

namespace hindsight::nn {

Linear::Linear(const LinearOptions& options, Rng& rng) {
  if (options.inputs < 1 || options.outputs < 1) {
    fail<OptionError>("Linear: {} inputs and {} outputs; at least 1 of each is needed",
                      options.inputs, options.outputs);
  }
  const double bound = 1 / std::sqrt(static_cast<double>(options.inputs));
  weight = parameter("weight", init::uniform({options.outputs, options.inputs}, bound, rng));
  if (options.bias) bias = parameter("bias", init::uniform({options.outputs}, bound, rng));
}

Variable Linear::operator()(const Variable& x) const {
  const Scope scope(path_or("Linear"));
  return bias ? linear(x, weight, bias) : matmul(x, transpose(weight));
}

}  // namespace hindsight::nn
