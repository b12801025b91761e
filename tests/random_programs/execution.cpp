#include "execution.h"

#include <algorithm>
#include <cmath>

#include "networks.h"
#include "operations.h"

namespace hindsight::random_programs {
namespace {

constexpr std::uint64_t kWeights = 7919;  // so that weights and leaves of one seed differ

Tensor leaf_values(const Leaf& leaf, DType dtype) {
  if (leaf.values == Leaf::Values::positive)
    return random_values(leaf.shape, dtype, leaf.seed, 0.5, 1.5);
  const Tensor result = random_values(leaf.shape, dtype, leaf.seed, -1.2, 1.2);
  if (leaf.values == Leaf::Values::around_zero) return result;
  for (Size i = 0; i < result.elements(); ++i)
    result.set(i, static_cast<float>(result.at(i) + std::copysign(0.1, result.at(i))));
  return result;
}

}  // namespace

Tensor random_values(const Shape& shape, DType dtype, std::uint64_t seed, double low, double high) {
  Rng rng(seed);
  const Tensor result(shape, dtype);
  for (Size i = 0; i < result.elements(); ++i)
    result.set(i, static_cast<float>(rng.uniform(low, high)));
  return result;
}

Instance::Instance(const Program& program, DType dtype) : program_(program), dtype_(dtype) {
  for (const Leaf& leaf : program.leaves) add_leaf(leaf);
  for_each_step(program.steps, [this](const Step& step) {
    if (step.kind == Step::Kind::recurrent) add_network(step);
  });
}

void Instance::add_leaf(const Leaf& leaf) {
  const Tensor value = leaf_values(leaf, dtype_);
  const std::string name = fmt::format("v{}", leaf.id);
  switch (leaf.kind) {
    case Leaf::Kind::watched:
      inputs_.push_back({leaf.id, value, {}});
      break;
    case Leaf::Kind::parameter:
      inputs_.push_back({leaf.id, {}, Parameter(name, value)});
      break;
    case Leaf::Kind::constant:
      constants_[leaf.id] = value;
      break;
  }
}

void Instance::add_network(const Step& step) {
  const auto network = make_network(step);
  network->to(dtype_);
  const int id = step.outputs.front();
  for (auto& [name, parameter] : network->named_parameters()) {
    parameter.rename(fmt::format("v{}.{}", id, name));
    inputs_.push_back({-1, {}, parameter});
  }
  networks_[id] = network;
}

std::size_t Instance::leaves() const {
  return static_cast<std::size_t>(std::count_if(inputs_.begin(), inputs_.end(),
                                                [](const Input& input) { return input.id >= 0; }));
}

Tensor Instance::value(std::size_t i) const {
  return is_parameter(i) ? inputs_[i].parameter.value() : inputs_[i].value;
}

void Instance::set(std::size_t i, const Tensor& value) {
  if (is_parameter(i)) return inputs_[i].parameter.assign(value);
  inputs_[i].value = value;
}

std::string Instance::name(std::size_t i) const {
  return is_parameter(i) ? inputs_[i].parameter.name() : fmt::format("v{}", inputs_[i].id);
}

std::vector<Variable> Instance::inputs() const {
  std::vector<Variable> result;
  for (const Input& input : inputs_) {
    if (input.parameter) {
      result.emplace_back(input.parameter);
    } else if (Tape* tape = Tape::current()) {
      result.push_back(tape->watch(input.value));
    } else {
      result.emplace_back(input.value);
    }
  }
  return result;
}

Execution::Execution(const Instance& instance, RunOptions options)
    : instance_(instance),
      program_(instance.program()),
      options_(std::move(options)),
      rng_(program_.seed) {}

Environment Execution::environment(const std::vector<Variable>& inputs) const {
  Environment values(static_cast<std::size_t>(program_.ids));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const int id = instance_.inputs_[i].id;
    if (id >= 0) values[static_cast<std::size_t>(id)] = inputs[i];
  }
  for (const auto& [id, value] : instance_.constants_)
    values[static_cast<std::size_t>(id)] = Variable(value);
  return values;
}

std::vector<Variable> Execution::outputs(const std::vector<Variable>& inputs) {
  Environment values = environment(inputs);
  run(program_.steps, values);
  std::vector<Variable> result;
  for (const Output& output : program_.outputs)
    result.push_back(values[static_cast<std::size_t>(output.id)]);
  return result;
}

Tensor Execution::weights(std::size_t output, const Shape& shape) const {
  return random_values(shape, dtype(), program_.outputs[output].seed + kWeights);
}

Variable Execution::loss(const std::vector<Variable>& inputs) {
  Variable loss(Tensor::zeros({}, dtype()));
  const std::vector<Variable> values = outputs(inputs);
  for (std::size_t i = 0; i < values.size(); ++i)
    loss = loss + sum(values[i] * Variable(weights(i, values[i].shape())));
  return loss;
}

void Execution::run(const std::vector<Step>& steps, Environment& values) {
  for (const Step& step : steps) {
    run(step, values);
    for (const int id : step.dead) {
      if (!program_.keep) values[static_cast<std::size_t>(id)] = Variable();
    }
  }
}

void Execution::run(const Step& step, Environment& values) {
  std::vector<Variable> in, out;
  for (const int id : step.inputs) in.push_back(values[static_cast<std::size_t>(id)]);
  // A body reads its inputs itself.
  for (std::size_t i = 0; options_.enter && step.body.empty() && i < in.size(); ++i)
    in[i] = options_.enter(in[i], step, i);
  switch (step.kind) {
    case Step::Kind::operation:
      out = run_operation(step, in);
      break;
    case Step::Kind::checkpoint:
      out = run_checkpoint(step, values);
      break;
    case Step::Kind::sequence:
      out = run_sequence(step, values);
      break;
    case Step::Kind::recurrent:
      out = run_recurrent(step, in);
      break;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (options_.tameness) look_at(out[i]);
    if (options_.pass) out[i] = options_.pass(out[i], step);
    values[static_cast<std::size_t>(step.outputs[i])] = out[i];
  }
  if (options_.done) options_.done(step, out);
}

std::vector<Variable> Execution::run_operation(const Step& step, const std::vector<Variable>& in) {
  const Call call{step, in, *this};
  if (options_.tameness && step.operation->margin) {
    double& margin = options_.tameness->margin;
    margin = std::min(margin, step.operation->margin(call));
  }
  return {step.operation->run(call)};
}

Environment Execution::captured(const Step& step, const Environment& values) const {
  Environment result(values.size());
  for (const int id : step.captured)
    result[static_cast<std::size_t>(id)] = values[static_cast<std::size_t>(id)];
  return result;
}

std::vector<Variable> Execution::run_checkpoint(const Step& step, const Environment& values) {
  std::vector<Variable> inputs;
  for (const int id : step.inputs) inputs.push_back(values[static_cast<std::size_t>(id)]);
  const auto body = [this, &step,
                     around = captured(step, values)](const std::vector<Variable>& in) {
    Environment local = around;
    for (std::size_t i = 0; i < in.size(); ++i)
      local[static_cast<std::size_t>(step.inputs[i])] = in[i];
    run(step.body, local);
    std::vector<Variable> results;
    for (const int id : step.results) results.push_back(local[static_cast<std::size_t>(id)]);
    return results;
  };
  return options_.checkpoints ? checkpoint(body, inputs) : body(inputs);
}

std::vector<Variable> Execution::run_sequence(const Step& step, const Environment& values) {
  const Variable x = values[static_cast<std::size_t>(step.inputs[0])];
  std::vector<Variable> states;
  for (std::size_t i = 1; i < step.inputs.size(); ++i)
    states.push_back(values[static_cast<std::size_t>(step.inputs[i])]);
  const Size T = x.size(0), first = std::min(step.numbers[sequence::kFirst], T);
  const Environment around = captured(step, values);
  Sequence all(T);
  const bool reversed = step.numbers[sequence::kReversed] != 0;
  if (first > 0) {
    // The first steps are there before, all at once, made from the first state.
    const Variable begin = tanh(broadcast_to(states[0], [&] {
      Shape shape = states[0].shape();
      shape.insert(0, first);
      return shape;
    }()));
    const Variable put = all.put_steps(reversed ? T - first : 0, begin);
    states[0] = put[reversed ? 0 : first - 1];
  }
  for (Size i = first; i < T; ++i) {
    const Size t = reversed ? T - 1 - i : i;
    Environment local = around;
    local[static_cast<std::size_t>(step.bound[0])] = x[t];
    for (std::size_t s = 0; s < states.size(); ++s)
      local[static_cast<std::size_t>(step.bound[s + 1])] = states[s];
    run(step.body, local);
    for (std::size_t s = 0; s < states.size(); ++s)
      states[s] = local[static_cast<std::size_t>(step.results[s])];
    states[0] = all.put(t, states[0]);
  }
  std::vector<Variable> out{all.values()};
  out.insert(out.end(), states.begin(), states.end());
  return out;
}

std::vector<Variable> Execution::run_recurrent(const Step& step, const std::vector<Variable>& in) {
  return run_network(*instance_.networks_.at(step.outputs.front()), step, in, options_.checkpoints);
}

Variable Execution::stop(const Variable& x) {
  Frozen* frozen = options_.frozen;
  if (frozen && frozen->mode != Frozen::Mode::record)
    return Variable(frozen->values.at(frozen->next++));
  if (frozen) frozen->values.push_back(x.value().contiguous_copy());
  return stop_gradient(x);
}

Variable Execution::scale(const Variable& x, double factor,
                          const std::function<Variable(const Variable&)>& scaled) {
  Frozen* frozen = options_.frozen;
  if (!frozen) return scaled(x);
  if (frozen->mode == Frozen::Mode::record) {
    frozen->values.push_back(x.value().contiguous_copy());
    return scaled(x);
  }
  const Tensor& before = frozen->values.at(frozen->next++);
  if (frozen->mode == Frozen::Mode::replay_stops) return x;
  return x * factor + Variable(before) * (1 - factor);
}

void Execution::look_at(const Variable& value) const {
  double& largest = options_.tameness->largest;
  const Tensor dense = value.value();
  for (Size i = 0; i < dense.elements(); ++i) {
    const double v = std::abs(dense.at(i));
    largest = std::isfinite(v) ? std::max(largest, v) : INFINITY;
  }
}

double loss_of(const Instance& instance, const RunOptions& options) {
  Execution execution(instance, options);
  return execution.loss(instance.inputs()).item();
}

}  // namespace hindsight::random_programs
