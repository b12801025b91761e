#pragma once
#include <hindsight/autograd/tape/observer.h>

namespace hindsight {

/// While active, the output of every operation of this thread is checked, and in reverse sweeps
/// every gradient that is propagated. The first NaN or infinity throws NonFiniteError, which names
/// the operation, the element and, where known, the parameter, the time step and the batch row. A
/// debugging aid; slow.
class FiniteChecks final : public Observer {
 public:
  FiniteChecks();
  ~FiniteChecks() override;

  // What it observes -----------------------------------------------------------------------------

  void computed(const char* op, const Variable& output) override;
  void swept(const Operation& operation, bool in_memory) override;
  void flushed(const ParameterUse& use, bool any) override;

 private:
  bool outer_checks_;
};

/// True while a FiniteChecks of this thread is active.
bool finite_checks();

}  // namespace hindsight
