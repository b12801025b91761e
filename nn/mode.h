#pragma once

namespace hindsight::nn {

/// While active, this thread evaluates: dropout is the identity. The default is training.
class Evaluation {
 public:
  Evaluation();
  ~Evaluation();
  Evaluation(const Evaluation&) = delete;
  Evaluation& operator=(const Evaluation&) = delete;

 private:
  bool outer_;
};

/// False while an Evaluation of this thread is active.
bool training();

}  // namespace hindsight::nn
