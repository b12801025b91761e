// The same gradient, asked for in several ways.
#include <algorithm>
#include <cmath>
#include <memory>

#include "comparisons.h"
#include "memory.h"

namespace hindsight::random_programs {
namespace {

std::size_t some_input(Subject& s) {
  return static_cast<std::size_t>(s.rng.below(static_cast<Size>(s.own.count())));
}

void forget_gradients(const Instance& instance) {
  for (std::size_t i = 0; i < instance.count(); ++i) {
    if (instance.is_parameter(i)) instance.parameter(i).data()->gradient.clear();
  }
}

/// Gradients that backward added to the parameters, of `sweeps` sweeps; of other inputs as known.
Tensors added_gradients(const Subject& s, int sweeps) {
  Tensors result = s.own_gradient;
  for (std::size_t i = 0; i < result.size(); ++i) {
    if (!s.own.is_parameter(i)) continue;
    result[i] = s.own.parameter(i).gradient().contiguous_copy();
    for (Size k = 0; k < result[i].elements(); ++k) result[i].set(k, result[i].at(k) / sweeps);
  }
  return result;
}

std::string compare_backward(Subject& s, int sweeps) {
  forget_gradients(s.own);
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    Recording recording(s.own);
    recording.tape().backward(recording.loss());
  }
  const std::string wrong =
      difference(s.own, added_gradients(s, sweeps), s.own_gradient, s.rounding());
  forget_gradients(s.own);
  return wrong;
}

}  // namespace

std::string tangent(Subject& s) {
  Tensors direction = random_directions(s.own, s.rng.bits());
  if (s.rng.below(2) == 0) {
    for (Tensor& d : direction) {
      if (s.rng.below(3) == 0) d = Tensor();  // that input stays where it is
    }
  }
  Recording recording(s.own);
  const double pushed = recording.tangent(direction);
  const Product product = dot(s.own_gradient, direction);
  const double allowed = s.rounding() * std::max(0.01, product.magnitude);
  if (!(std::abs(pushed - product.sum) <= allowed))
    return fmt::format("{:.12g} but <gradient, direction> is {:.12g}", pushed, product.sum);
  return difference_of_bits(s.own, recording.gradient(), s.own_gradient);
}

std::string backward(Subject& s) { return compare_backward(s, s.rng.below(3) == 0 ? 2 : 1); }

std::string without_checkpoints(Subject& s) {
  Recording recording(s.own, {.checkpoints = false});
  return difference(s.own, recording.gradient(), s.own_gradient, s.rounding());
}

std::string asked_twice(Subject& s) {
  Recording recording(s.own);
  const Tensors first = recording.gradient();
  return difference_of_bits(s.own, recording.gradient(), first);
}

std::string recorded_again(Subject& s) {
  return difference_of_bits(s.own, Recording(s.own).gradient(), s.own_gradient);
}

std::string one_input_alone(Subject& s) {
  const std::size_t i = some_input(s);
  Recording recording(s.own);
  Tensors got = s.own_gradient;
  got[i] = copies(recording.tape().gradient(recording.loss(), {recording.inputs()[i]}))[0];
  return difference(s.own, got, s.own_gradient, s.rounding());
}

std::string recorded_sweep(Subject& s) {
  Recording recording(s.own);
  const Tensors recorded = copies(recording.recorded_gradient());
  const std::string wrong = difference(s.own, recorded, s.own_gradient, s.rounding());
  if (!wrong.empty()) return wrong;
  // Not bit by bit: products recorded meanwhile group what is summed up in another way.
  return difference(s.own, recording.gradient(), s.own_gradient, s.rounding());
}

// The checks read each gradient, which completes it: what follows is added instead of assigned.
std::string under_finite_checks(Subject& s) {
  const FiniteChecks checks;
  Recording recording(s.own);
  return difference(s.own, recording.gradient(), s.own_gradient, s.rounding());
}

std::string under_profile(Subject& s) {
  const Profile profile;
  Recording recording(s.own);
  return difference_of_bits(s.own, recording.gradient(), s.own_gradient);
}

std::string float32_like_float64(Subject& s) {
  Instance narrow(s.program, DType::f32);
  Recording recording(narrow);
  const double wide = s.wide_loss(), loss = recording.loss().item();
  if (!(std::abs(loss - wide) <= 1e-3 * std::max(1.0, std::abs(wide))))
    return fmt::format("loss {:.9g} but {:.9g} in float64", loss, wide);
  return difference(narrow, recording.gradient(), s.wide_gradient, 3e-3);
}

// The outputs themselves, weighted by cotangents instead of in a loss.
std::string several_outputs(Subject& s) {
  Execution execution(s.own);
  Tape tape;
  const std::vector<Variable> inputs = s.own.inputs(), outputs = execution.outputs(inputs);
  std::vector<Variable> cotangents;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    cotangents.emplace_back(execution.weights(i, outputs[i].shape()));
  const Tensors gradient = copies(tape.gradient(outputs, inputs, {.cotangents = cotangents}));
  const std::string wrong = difference(s.own, gradient, s.own_gradient, s.rounding());
  if (!wrong.empty() || changes_gradients(s.program)) return wrong;
  const Tensors direction = random_directions(s.own, s.rng.bits());
  const Tensors pushed = copies(tape.tangent(outputs, inputs, as_variables(direction)));
  const Product product = dot(s.own_gradient, direction), forward = dot(pushed, copies(cotangents));
  const double allowed = s.rounding() * std::max({0.01, product.magnitude, forward.magnitude});
  if (std::abs(forward.sum - product.sum) <= allowed) return "";
  return fmt::format("tangents: {:.12g} but <gradient, direction> is {:.12g}", forward.sum,
                     product.sum);
}

// Memory fails once, somewhere. Afterwards no memory is lost, and all gives what it gave before.
std::string failing_memory(Subject& s) {
  enum Phase { kRecording, kGradient, kTangent, kRecordedSweep, kBackward, kPhases };
  const auto phase = static_cast<Phase>(s.rng.below(kPhases));
  const Tensors direction = random_directions(s.own, s.rng.bits());
  std::unique_ptr<Recording> recording;
  double pushed = 0;
  const auto run = [&] {
    switch (phase) {
      case kRecording:
        recording = std::make_unique<Recording>(s.own);
        break;
      case kGradient:
        recording->gradient();
        break;
      case kTangent:
        pushed = recording->tangent(direction);
        break;
      case kRecordedSweep:
        recording->recorded_gradient();
        break;
      default:
        recording->tape().backward(recording->loss());
    }
  };
  std::int64_t in_use = 0;
  const auto clear = [&] {
    recording.reset();
    forget_gradients(s.own);
    in_use = pool::statistics().bytes_in_use;
  };
  const auto prepare = [&] {
    clear();
    if (phase != kRecording) recording = std::make_unique<Recording>(s.own);
    pool::trim();  // so that memory is asked for
  };
  prepare();
  std::int64_t asked = 0;
  {
    const FailingMemory never(INT64_MAX);
    run();
    asked = FailingMemory::asked();
  }
  prepare();
  if (asked == 0) return "";
  const std::int64_t failing = s.rng.below(asked);
  std::string thrown = "no exception was thrown";
  try {
    const FailingMemory once(failing);
    run();
  } catch (const std::bad_alloc&) {
    thrown = "";
  }
  const auto where = [&](const std::string& what) {
    static const char* const kNames[] = {"recording", "gradient", "tangent", "recorded sweep",
                                         "backward"};
    return fmt::format("allocation {} of {} of {} fails: {}", failing, asked, kNames[phase], what);
  };
  if (!thrown.empty()) return where(thrown);
  if (phase == kGradient || phase == kTangent || phase == kRecordedSweep) {
    const std::string wrong = difference_of_bits(s.own, recording->gradient(), s.own_gradient);
    if (!wrong.empty()) return where("asked again: " + wrong);
  }
  if (phase == kTangent && recording->tangent(direction) != pushed)
    return where("the tangent asked again is another one");
  const std::int64_t before = in_use;
  clear();
  if (in_use != before) return where(fmt::format("{} bytes are never released", in_use - before));
  std::string wrong = difference_of_bits(s.own, Recording(s.own).gradient(), s.own_gradient);
  if (!wrong.empty()) return where("recorded again: " + wrong);
  wrong = compare_backward(s, 1);
  return wrong.empty() ? "" : where("backward afterwards: " + wrong);
}

}  // namespace hindsight::random_programs
