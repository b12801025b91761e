#pragma once

namespace hindsight::nn {

/// While alive, this thread evaluates: dropout passes values through. Training is the default.
class Evaluation {
 public:
  Evaluation();
  ~Evaluation();
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

 private:
  bool outer_;
};

/// False inside an Evaluation scope.
bool training();

}  // namespace hindsight::nn
