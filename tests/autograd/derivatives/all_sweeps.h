#pragma once
#include <hindsight/autograd/autograd.h>

#include "support.h"

/// The gradients of a loss by each kind of sweep, to compare a checkpointed run with a plain one.
namespace hindsight::test {

/// The gradients of the parameters by backward().
inline std::vector<Tensor> swept(const std::function<Variable()>& loss,
                                 const std::vector<Parameter>& parameters) {
  for (Parameter p : parameters) p.clear_gradient();
  Tape tape;
  tape.backward(loss());
  CHECK(tape.operations() == 0);
  std::vector<Tensor> result;
  for (const Parameter& p : parameters) result.push_back(p.gradient().contiguous_copy());
  return result;
}

/// By gradient(), which keeps the tape.
inline std::vector<Tensor> asked(const std::function<Variable()>& loss,
                                 const std::vector<Parameter>& parameters) {
  Tape tape;
  const std::vector<Variable> wanted(parameters.begin(), parameters.end());
  const Variable y = loss();
  const Size before = tape.operations();
  std::vector<Tensor> result;
  for (int again = 0; again < 2; ++again) {
    result.clear();
    for (const Variable& g : tape.gradient(y, wanted))
      result.push_back(g.value().contiguous_copy());
    CHECK(tape.operations() == before);
  }
  return result;
}

/// Derivatives of the gradients' squares: a recorded sweep, then another one.
inline std::vector<Tensor> second(const std::function<Variable()>& loss,
                                  const std::vector<Parameter>& parameters) {
  Tape tape;
  const std::vector<Variable> wanted(parameters.begin(), parameters.end());
  Variable total(Tensor::zeros({}, DType::f64));
  for (const Variable& g : tape.gradient(loss(), wanted, {.create_graph = true}))
    total = total + sum(square(g));
  std::vector<Tensor> result;
  for (const Variable& g : tape.gradient(total, wanted))
    result.push_back(g.value().contiguous_copy());
  return result;
}

inline void check_alike(const std::vector<Tensor>& got, const std::vector<Tensor>& wanted,
                        double tolerance = 1e-12) {
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("gradient ", i);
    CHECK(relative_difference(got[i], wanted[i]) < tolerance);
  }
}

/// Products with the Jacobian and the Hessian along fixed directions, by forward and reverse mode.
inline std::vector<Tensor> products(const std::function<Variable()>& loss,
                                    const std::vector<Parameter>& parameters) {
  std::vector<Tensor> directions;
  for (const Parameter& p : parameters)
    directions.push_back(random_tensor(p.shape(), 7 + directions.size(), p.dtype()));
  std::vector<Tensor> result = hessian_vector_product(loss, parameters, directions);
  result.push_back(jvp(loss, parameters, directions).tangent);
  return result;
}

inline void check_all_sweeps(const std::function<Variable()>& plain,
                             const std::function<Variable()>& checkpointed,
                             const std::vector<Parameter>& parameters) {
  check_alike(swept(checkpointed, parameters), swept(plain, parameters));
  check_alike(asked(checkpointed, parameters), asked(plain, parameters));
  check_alike(second(checkpointed, parameters), second(plain, parameters));
  check_alike(products(checkpointed, parameters), products(plain, parameters));
}

}  // namespace hindsight::test
