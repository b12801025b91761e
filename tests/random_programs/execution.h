#pragma once
#include <hindsight/nn/recurrent.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "program.h"

namespace hindsight::random_programs {

/// A program's inputs in memory: tensors that are watched, parameters (those of networks too), and
/// constants, all in one element type.
class Instance {
 public:
  Instance(const Program& program, DType dtype);

  const Program& program() const { return program_; }
  DType dtype() const { return dtype_; }
  /// What the loss is differentiated by: leaves that are watched or parameters, then the
  /// parameters of networks.
  std::size_t count() const { return inputs_.size(); }
  std::size_t leaves() const;  ///< how many of them, the first ones, are leaves
  Tensor value(std::size_t i) const;
  void set(std::size_t i, const Tensor& value);
  /// "v3", or the name of a network's parameter.
  std::string name(std::size_t i) const;
  bool is_parameter(std::size_t i) const { return static_cast<bool>(inputs_[i].parameter); }
  const Parameter& parameter(std::size_t i) const { return inputs_[i].parameter; }
  /// The inputs as the current tape knows them; constants where there is none.
  std::vector<Variable> inputs() const;
  /// Makes the network of a recurrent step; its parameters become inputs.
  void add_network(const Step& step);

 private:
  friend class Execution;
  struct Input {
    int id;  // of the leaf, -1 for a network's parameter
    Tensor value;
    Parameter parameter;  // instead of the value
  };
  void add_leaf(const Leaf& leaf);

  const Program& program_;
  DType dtype_;
  std::vector<Input> inputs_;
  std::map<int, Tensor> constants_;                              // by leaf
  std::map<int, std::shared_ptr<const nn::Unroller>> networks_;  // by the step's first output
};

/// What stays as it was in another run: the values of stop_gradient, and of those hooks that
/// change the gradient. With them fixed, differences are what the reverse sweep computes.
struct Frozen {
  enum class Mode { record, replay, replay_stops };
  Mode mode = Mode::record;
  std::vector<Tensor> values;
  std::size_t next = 0;
};

/// How far a run stays away from kinks, ends of domains and large values.
struct Tameness {
  double margin = 1;   ///< smallest distance of a value to a kink or the end of a domain
  double largest = 0;  ///< magnitude; infinite where something is not finite
  bool tame() const { return margin >= 2e-4 && largest <= 1e3; }
};

struct RunOptions {
  bool checkpoints = true;  ///< false: bodies of checkpoints just run
  Frozen* frozen = nullptr;
  Tameness* tameness = nullptr;
  /// Called with every input that an operation or a network reads; what it returns is read instead.
  std::function<Variable(const Variable&, const Step&, std::size_t input)> enter = {};
  /// Called with every output of every step, bodies included; what it returns goes on instead.
  std::function<Variable(const Variable&, const Step&)> pass = {};
  /// Called after every step with its outputs as they go on.
  std::function<void(const Step&, const std::vector<Variable>&)> done = {};
};

/// The values of a program by number.
using Environment = std::vector<Variable>;

/// Runs a program once. Has to outlive the tape, whose checkpoints call back.
class Execution {
 public:
  explicit Execution(const Instance& instance, RunOptions options = {});
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

  /// The loss; inputs as Instance::inputs() returns them.
  Variable loss(const std::vector<Variable>& inputs);
  /// The values that it is the weighted sum of.
  std::vector<Variable> outputs(const std::vector<Variable>& inputs);
  /// The weights of one of these.
  Tensor weights(std::size_t output, const Shape& shape) const;

  /// The leaves, by number.
  Environment environment(const std::vector<Variable>& inputs) const;
  void run(const std::vector<Step>& steps, Environment& values);
  void run(const Step& step, Environment& values);

  DType dtype() const { return instance_.dtype(); }
  /// One generator for the whole run, beside those that steps seed themselves.
  Rng& rng() { return rng_; }
  /// stop_gradient(x), or what it was.
  Variable stop(const Variable& x);
  /// x whose gradient is scaled, as `scaled` makes it, or a value with that derivative.
  Variable scale(const Variable& x, double factor,
                 const std::function<Variable(const Variable&)>& scaled);

 private:
  std::vector<Variable> run_operation(const Step& step, const std::vector<Variable>& in);
  std::vector<Variable> run_checkpoint(const Step& step, const Environment& values);
  std::vector<Variable> run_sequence(const Step& step, const Environment& values);
  std::vector<Variable> run_recurrent(const Step& step, const std::vector<Variable>& in);
  Environment captured(const Step& step, const Environment& values) const;
  void look_at(const Variable& value) const;

  const Instance& instance_;
  const Program& program_;
  RunOptions options_;
  Rng rng_;
};

/// The value of the loss without a tape.
double loss_of(const Instance& instance, const RunOptions& options = {});

/// Uniform values that float32 can represent.
Tensor random_values(const Shape& shape, DType dtype, std::uint64_t seed, double low = -1,
                     double high = 1);

}  // namespace hindsight::random_programs
