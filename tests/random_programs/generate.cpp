#include "generate.h"

#include <algorithm>
#include <set>

#include "chooser.h"
#include "networks.h"
#include "operations.h"

namespace hindsight::random_programs {
namespace {

constexpr Size kMostElements = 12000;   // of a value
constexpr Size kMostOperations = 1500;  // on the tape: sequences within sequences grow fast
constexpr double kLarge = 4;            // values above are scaled down
constexpr int kDeepest = 3;             // bodies within bodies

class Generator {
 public:
  explicit Generator(std::uint64_t seed)
      : choose_((program_.seed = seed, program_)),
        instance_(program_, DType::f64),
        execution_(instance_, {.tameness = &tameness_}) {}

  Program program();

 private:
  enum Family { kTables = 8, kCheckpoint = kTables, kSequence, kRecurrent, kFamilies };
  static const std::vector<Operation>& table(int family);

  void draw_weights();
  bool add_step(std::vector<Step>* steps, int depth);
  bool fill(Step& step, int family, int depth);
  bool fill_operation(Step& step, const Operation& operation);
  bool fill_checkpoint(Step& step, int depth);
  bool fill_sequence(Step& step, int depth);
  bool fill_recurrent(Step& step);
  int next_state(std::vector<Step>* body, int state, std::size_t locals);
  bool accept(std::vector<Step>* steps, Step step);
  int add(std::vector<Step>* steps, const Operation& operation, std::vector<int> inputs,
          std::vector<double> reals = {});
  void scale_down(std::vector<Step>* steps, int id);
  void choose_outputs();
  void drop_unused_leaves();

  Program program_;
  Chooser choose_;
  Tameness tameness_;
  Instance instance_;
  Execution execution_;
  double weights_[kFamilies];
};

const std::vector<Operation>& Generator::table(int family) {
  switch (family) {
    case 0:
      return elementwise_operations();
    case 1:
      return fused_operations();
    case 2:
      return shape_operations();
    case 3:
      return reducing_operations();
    case 4:
      return product_operations();
    case 5:
      return index_operations();
    case 6:
      return loss_operations();
    default:
      return gradient_operations();
  }
}

// Each program has likes of its own, so that rare neighbours meet too.
void Generator::draw_weights() {
  constexpr double kUsual[kFamilies] = {16, 20, 20, 14, 12, 6, 4, 6, 6, 5, 3};
  double sum = 0;
  for (int i = 0; i < kFamilies; ++i) {
    const bool left_out = i > 1 && choose_.chance(0.25);
    sum += weights_[i] = left_out ? 0 : kUsual[i] * choose_.rng().uniform(0.3, 2);
  }
  for (double& weight : weights_) weight /= sum;
}

bool Generator::add_step(std::vector<Step>* steps, int depth) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    double place = choose_.rng().uniform();
    int family = 0;
    while (family + 1 < kFamilies && place >= weights_[family]) place -= weights_[family++];
    Step step;
    const std::vector<int> available = choose_.available;
    bool filled = false;
    try {
      filled = fill(step, family, depth);
    } catch (const Error&) {  // sizes that do not go together
    }
    choose_.available = available;
    if (filled && accept(steps, step)) return true;
  }
  return false;
}

bool Generator::fill(Step& step, int family, int depth) {
  if (family < kTables) {
    const auto& operations = table(family);
    return fill_operation(
        step,
        operations[static_cast<std::size_t>(choose_.below(static_cast<Size>(operations.size())))]);
  }
  if (family == kRecurrent) return fill_recurrent(step);
  if (depth == kDeepest) return false;
  return family == kCheckpoint ? fill_checkpoint(step, depth + 1) : fill_sequence(step, depth + 1);
}

bool Generator::fill_operation(Step& step, const Operation& operation) {
  step.kind = Step::Kind::operation;
  step.operation = &operation;
  if (!operation.choose(choose_, step)) return false;
  step.outputs = {choose_.new_id()};
  return true;
}

bool Generator::fill_checkpoint(Step& step, int depth) {
  step.kind = Step::Kind::checkpoint;
  const std::size_t outside = choose_.available.size();
  const int before = program_.ids;
  for (Size i = choose_.between(1, 4); i > 0; --i) add_step(&step.body, depth);
  if (choose_.available.size() <= outside) return false;
  // The last value, and some of the others, leave it.
  for (std::size_t i = outside; i < choose_.available.size(); ++i) {
    if (i + 1 == choose_.available.size() || choose_.chance(0.25))
      step.results.push_back(choose_.available[i]);
  }
  step.outputs = step.results;
  prepare(step);
  // Some of what it reads is passed, the rest is captured.
  for (const int id : step.captured) {
    if (id < before ? choose_.chance(0.6) : choose_.chance(0.3)) step.inputs.push_back(id);
  }
  if (step.inputs.empty() && !step.captured.empty()) step.inputs = {step.captured.front()};
  return true;
}

bool Generator::fill_sequence(Step& step, int depth) {
  step.kind = Step::Kind::sequence;
  const auto fits = [](const Variable& v) {
    return v.rank() >= 1 && v.size(0) >= 2 && v.size(0) <= 6 && v.shape().elements() <= 400;
  };
  int x = choose_.any(fits);
  if (x < 0)
    x = choose_.leaf({choose_.between(2, 5), choose_.between(1, 3), choose_.between(1, 5)});
  if (x < 0) return false;
  step.inputs = {x};
  Shape like = choose_.shape(x);
  like.erase(0);
  for (Size i = choose_.between(1, 2); i > 0; --i) {
    step.inputs.push_back(choose_.chance(0.7) ? choose_.shaped(like)
                                              : choose_.any([](const Variable& v) {
                                                  return v.shape().elements() <= 100;
                                                }));
    if (step.inputs.back() < 0) return false;
  }
  step.numbers = {choose_.chance(0.3), choose_.chance(0.15) ? 1 : 0};
  while (step.bound.size() < step.inputs.size()) step.bound.push_back(choose_.new_id());
  choose_.values.resize(static_cast<std::size_t>(program_.ids));
  for (std::size_t i = 0; i < step.bound.size(); ++i) {
    const Variable& outside = choose_.value(step.inputs[i]);
    choose_.values[static_cast<std::size_t>(step.bound[i])] = i == 0 ? outside[0] : outside;
    for (int again = 0; again < 2; ++again) choose_.available.push_back(step.bound[i]);
  }
  const std::size_t locals = choose_.available.size();
  for (Size i = choose_.between(1, 4); i > 0; --i) add_step(&step.body, depth);
  for (std::size_t i = 1; i < step.bound.size(); ++i) {
    step.results.push_back(next_state(&step.body, step.bound[i], locals));
    if (step.results.back() < 0) return false;
  }
  for (std::size_t i = 0; i < step.inputs.size(); ++i) step.outputs.push_back(choose_.new_id());
  prepare(step);
  return true;
}

// What becomes of a state: a value of its shape, mostly one made of a young value and the state.
int Generator::next_state(std::vector<Step>* body, int state, std::size_t locals) {
  const Shape shape = choose_.shape(state);
  std::vector<int> young(choose_.available.begin() + static_cast<std::ptrdiff_t>(locals),
                         choose_.available.end());
  if (young.empty()) young = {state};
  int id = young[static_cast<std::size_t>(choose_.below(static_cast<Size>(young.size())))];
  if (choose_.shape(id) == shape && id != state && choose_.chance(0.4)) return id;
  if (!broadcasts_to(choose_.shape(id), shape)) id = add(body, mean_operation(), {id});
  return id < 0 ? id : add(body, tanh_sum_operation(), {id, state});
}

bool Generator::fill_recurrent(Step& step) {
  step.kind = Step::Kind::recurrent;
  step.seed = choose_.seed();
  step.numbers.assign(kNetworkNumbers, 0);
  auto& n = step.numbers;
  n[kCell] = choose_.below(kCells);
  n[kHidden] = choose_.between(3, 5);
  n[kLayers] = choose_.chance(0.25) ? 2 : 1;
  n[kBidirectional] = choose_.chance(0.25);
  n[kCheckpointEvery] = choose_.chance(0.3) ? choose_.between(1, 3) : 0;
  n[kFinalOnly] = choose_.chance(0.2);
  n[kLengths] = choose_.chance(0.25);
  n[kDropout] = choose_.chance(0.2);
  n[kInputWidth] = choose_.between(2, 5);
  n[kSteps] = choose_.between(1, 6);
  n[kBatch] = choose_.between(1, 4);
  if (n[kCell] == kNormalized || choose_.chance(0.8)) {
    int x = choose_.any([](const Variable& v) {
      return v.rank() == 3 && v.size(0) > 0 && v.size(0) <= 8 && v.shape().elements() <= 300;
    });
    if (x < 0) x = choose_.leaf({n[kSteps], n[kBatch], n[kInputWidth]});
    if (x < 0) return false;
    step.inputs = {x};
    n[kInputWidth] = choose_.shape(x)[2];
  }
  step.outputs = {choose_.new_id()};
  if (n[kFinalOnly] == 0) step.outputs.push_back(choose_.new_id());
  instance_.add_network(step);
  return true;
}

/// Runs the step, and appends it where its values are tame.
bool Generator::accept(std::vector<Step>* steps, Step step) {
  tameness_ = {};
  choose_.values.resize(static_cast<std::size_t>(program_.ids));
  try {
    execution_.run(step, choose_.values);
  } catch (const Error&) {
    return false;
  }
  if (!tameness_.tame()) return false;
  for (const int id : step.outputs) {
    if (choose_.shape(id).elements() > kMostElements) return false;
  }
  const std::vector<int> outputs = step.outputs;
  steps->push_back(std::move(step));
  for (const int id : outputs) scale_down(steps, id);
  return true;
}

int Generator::add(std::vector<Step>* steps, const Operation& operation, std::vector<int> inputs,
                   std::vector<double> reals) {
  Step step;
  step.operation = &operation;
  step.inputs = std::move(inputs);
  step.reals = std::move(reals);
  const int id = choose_.new_id();
  step.outputs = {id};
  return accept(steps, step) ? id : -1;
}

void Generator::scale_down(std::vector<Step>* steps, int id) {
  double largest = 0;
  const Tensor value = choose_.value(id).value();
  for (Size i = 0; i < value.elements(); ++i) largest = std::max(largest, std::abs(value.at(i)));
  if (largest <= kLarge) return choose_.available.push_back(id);
  add(steps, scaled_operation(), {id}, {static_cast<float>(2 / largest)});
}

// Every value that nothing reads counts in the loss, and some that are read.
void Generator::choose_outputs() {
  std::set<int> read;
  for (const Step& step : program_.steps) {
    read.insert(step.inputs.begin(), step.inputs.end());
    read.insert(step.captured.begin(), step.captured.end());
  }
  const auto add = [&](int id) { program_.outputs.push_back({id, choose_.seed()}); };
  for (const Step& step : program_.steps) {
    for (const int id : step.outputs) {
      if (!read.count(id) ? !choose_.chance(0.05) : choose_.chance(0.15)) add(id);
    }
  }
  if (choose_.chance(0.1)) add(choose_.any());
  if (program_.outputs.empty()) add(choose_.available.back());
}

void Generator::drop_unused_leaves() {
  std::set<int> read;
  for_each_step(program_.steps, [&](const Step& step) {
    read.insert(step.inputs.begin(), step.inputs.end());
    read.insert(step.results.begin(), step.results.end());
  });
  for (const Output& output : program_.outputs) read.insert(output.id);
  auto& leaves = program_.leaves;
  leaves.erase(std::remove_if(
                   leaves.begin(), leaves.end(),
                   [&](const Leaf& leaf) { return !read.count(leaf.id) && !choose_.chance(0.1); }),
               leaves.end());
}

Program Generator::program() {
  draw_weights();
  program_.dtype = choose_.chance(0.5) ? DType::f32 : DType::f64;
  program_.keep = choose_.chance(0.25);
  for (Size i = choose_.between(1, 3); i > 0; --i)
    choose_.available.push_back(choose_.leaf(choose_.some_shape()));
  const Size steps = choose_.between(1, choose_.chance(0.2) ? 20 : 9);
  for (Size i = 0; i < steps; ++i) add_step(&program_.steps, 0);
  choose_outputs();
  drop_unused_leaves();
  prepare(program_, Unread::keep);
  return program_;
}

}  // namespace

bool is_sound(const Program& program) {
  Tameness tameness;
  try {
    const Instance instance(program, DType::f64);
    Execution execution(instance, {.tameness = &tameness});
    const Tape tape;
    return execution.loss(instance.inputs()).recorded() && tameness.tame() &&
           tape.operations() <= kMostOperations;
  } catch (const std::exception&) {  // of a program that was made shorter, there are several kinds
    return false;
  }
}

Program generate(std::uint64_t seed) {
  // Where a program is not sound after all, the next one of its seed.
  constexpr std::uint64_t kStride = 0x9E3779B97F4A7C15u;
  for (std::uint64_t attempt = 0;; ++attempt) {
    Program program = Generator(seed + attempt * kStride).program();
    program.seed = seed;
    if (!program.steps.empty() && is_sound(program)) return program;
  }
}

}  // namespace hindsight::random_programs
