#include "planted.h"

#include <memory>

#include "generate.h"
#include "measure.h"
#include "mistakes.h"

namespace hindsight::random_programs {
namespace {

constexpr double kAside = 0.05;  // how far the inputs are from those of the call before

/// The program as the gradient check calls it.
CheckReport check(Instance& instance, const std::function<RunOptions()>& options) {
  std::vector<Tensor> inputs;
  std::vector<Parameter> parameters;
  for (std::size_t i = 0; i < instance.count(); ++i) {
    if (instance.is_parameter(i)) {
      parameters.push_back(instance.parameter(i));
    } else {
      inputs.push_back(instance.value(i));
    }
  }
  // Without a tape, stopped gradients stop at the values they have here.
  Frozen frozen;
  loss_of(instance, {.frozen = &frozen});
  frozen.mode = Frozen::Mode::replay;
  std::unique_ptr<Execution> execution;  // outlives the tape that a call is recorded on
  const auto loss = [&](const std::vector<Variable>& watched) {
    std::vector<Variable> all;
    std::size_t next = 0;
    for (std::size_t i = 0; i < instance.count(); ++i)
      all.push_back(instance.is_parameter(i) ? Variable(instance.parameter(i)) : watched[next++]);
    RunOptions run = options();
    if (!Tape::current()) run.frozen = &frozen;
    frozen.next = 0;
    execution = std::make_unique<Execution>(instance, std::move(run));
    return execution->loss(all);
  };
  return check_gradients(loss, inputs, parameters);
}

/// Of the largest element of a right gradient, the largest difference.
double change_of(const Tensors& right, const Tensors& wrong) {
  double difference = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    for (Size k = 0; k < right[i].elements(); ++k)
      difference = std::max(difference, std::abs(right[i].at(k) - wrong[i].at(k)));
  }
  const double all = largest(right);
  return difference == 0 ? 0 : difference / all;
}

}  // namespace

namespace {

std::optional<PlantedResult> try_mistake(const Program& program) {
  Instance instance(program, DType::f64);
  Plant plant(instance, program.seed);
  if (!plant) return std::nullopt;
  PlantedResult result;
  result.mistake = plant.name();
  const Tensors right = Recording(instance).gradient();
  {
    const Moved aside(instance, random_directions(instance, program.seed), kAside);
    Recording(instance, plant.options()).gradient();
  }
  result.change = change_of(right, Recording(instance, plant.options()).gradient());
  plant.forget();
  const CheckReport alarm = check(instance, [] { return RunOptions{}; });
  if (!alarm.passed) result.alarm = alarm.to_string();
  const CheckReport report = check(instance, [&] { return plant.options(); });
  result.caught = !report.passed;
  result.nameable = !changes_gradients(program);
  result.named = report.culprit && report.culprit->operation == Plant::kOperation;
  result.report = report.to_string();
  return result;
}

}  // namespace

std::optional<PlantedResult> plant_mistake(const Program& program) {
  try {
    return try_mistake(program);
  } catch (const std::exception& error) {
    PlantedResult thrown;
    thrown.alarm = std::string("an exception: ") + error.what();
    return thrown;
  }
}

std::string PlantedCount::to_string() const {
  return fmt::format(
      "{} mistakes planted, of which {} change the gradient: {} caught ({:.2f} %), and the "
      "operation "
      "named in {} of {}; {} false alarms",
      programs, changed, caught, 100 * share(), named, nameable, alarms);
}

PlantedCount plant_mistakes(
    std::uint64_t first, std::uint64_t last,
    const std::function<bool(std::uint64_t seed, const std::optional<PlantedResult>&)>& look) {
  PlantedCount count;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const std::optional<PlantedResult> result = plant_mistake(generate(seed));
    if (result) {
      ++count.programs;
      count.alarms += !result->alarm.empty();
      count.changed += result->changed();
      const bool caught = result->changed() && result->caught;
      count.caught += caught;
      count.nameable += caught && result->nameable;
      count.named += caught && result->nameable && result->named;
    }
    if (!look(seed, result)) break;
  }
  return count;
}

}  // namespace hindsight::random_programs
