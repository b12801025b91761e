#include "compare.h"

#include "comparisons.h"

namespace hindsight::random_programs {

Subject::Subject(const Program& p)
    : program(p), wide(p, DType::f64), own(p, p.dtype), rng(p.seed + 1) {
  wide_gradient = Recording(wide).gradient();
  own_gradient = Recording(own).gradient();
  loss_of(wide, {.frozen = &frozen});
}

double Subject::wide_loss(Frozen::Mode mode, RunOptions options) {
  frozen.mode = mode;
  frozen.next = 0;
  options.frozen = &frozen;
  return loss_of(wide, options);
}

std::optional<Failure> Comparisons::run() {
  return run([](const char*) { return 1; });
}

std::optional<Failure> Comparisons::run(const std::string& name, int times) {
  return run([&](const char* of) { return of == name ? times : 0; });
}

std::optional<Failure> Comparisons::run(const std::function<int(const char* name)>& times) {
  const bool changed = changes_gradients(program_);
  struct Row {
    const char* name;
    std::string (*compare)(Subject&);
    bool fits = true;
  };
  const Row rows[] = {
      {"differences along directions", differences_along_directions},
      {"differences of elements", differences_of_elements},
      {"gradient of a value within", gradient_of_value_within},
      {"tangent", tangent, !changed},
      {"tangent with hooks", tangent_with_hooks, changed},
      {"backward into parameters", backward},
      {"without checkpoints", without_checkpoints},
      {"asked twice", asked_twice},
      {"recorded again", recorded_again},
      {"one input alone", one_input_alone},
      {"several outputs", several_outputs},
      {"recorded sweep", recorded_sweep},
      {"under FiniteChecks", under_finite_checks},
      {"under Profile", under_profile},
      {"float32 like float64", float32_like_float64},
      {"Hessian products", hessian_products, !changed},
      {"derivatives in one call", derivatives_in_one_call, !changed},
      {"failing memory", failing_memory},
  };
  const char* now = "gradient";
  const auto begin = [&](const char* name) {
    now = name;
    ++count_;
    if (begin_) begin_(name);
  };
  try {
    begin(now);
    Subject subject(program_);
    for (const Row& row : rows) {
      for (int left = row.fits ? times(row.name) : 0; left > 0; --left) {
        begin(row.name);
        const std::string wrong = row.compare(subject);
        if (!wrong.empty()) return Failure{now, wrong};
      }
    }
  } catch (const std::exception& error) {
    return Failure{now, std::string("an exception: ") + error.what()};
  }
  return std::nullopt;
}

}  // namespace hindsight::random_programs
