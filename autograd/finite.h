#pragma once
#include <hindsight/autograd/operation.h>

namespace hindsight {

/// While alive, every operation of this thread checks its output, and every sweep the gradients it
/// hands on. The first NaN or infinity throws NonFiniteError, which names the operation, the
/// element and, where known, the parameter, the time step and the batch row. For finding out, not
/// for speed.
class FiniteChecks {
 public:
  FiniteChecks();
  ~FiniteChecks();
  FiniteChecks(const FiniteChecks&) = delete;
  FiniteChecks& operator=(const FiniteChecks&) = delete;

 private:
  bool outer_;
};

/// True inside a FiniteChecks scope.
bool finite_checks();

// For operations and sweeps -------------------------------------------------------------------

/// NonFiniteError naming `op`, which has just computed `output`, unless that is finite everywhere.
void check_finite(const char* op, const Variable& output);
/// The same for the gradients that an operation's backward has just written.
void check_finite_gradients(const Operation& operation);
/// The same for a parameter whose products have just been added up.
void check_finite_gradient(const ParameterUse& use);

}  // namespace hindsight
