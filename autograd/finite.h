#pragma once
#include <hindsight/autograd/variable.h>

namespace hindsight {

/// While alive, every operation of this thread checks its output and the first that holds a NaN or
/// an infinity throws NonFiniteError naming it. For finding out, not for speed.
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
/// Throws NonFiniteError naming `op` when the value is not finite everywhere.
void check_finite(const char* op, const Variable& output);

}  // namespace hindsight
