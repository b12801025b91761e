#include <hindsight/autograd/gradcheck/gradcheck.h>
#include <hindsight/nn/safetensors.h>

#include <algorithm>
#include <memory>

#include "command.h"
#include "files.h"
#include "gradcheck_json.h"
#include "gradcheck_models.h"
#include "interrupt.h"
#include "progress.h"
#include "recurrent_models.h"

namespace hindsight::tasks {
namespace {

constexpr const char* kExamples = R"(Examples:
  hindsight gradcheck --model lstm
  hindsight gradcheck --model lstm --layers 2 --bidirectional --lengths 5,3 --second-order
  hindsight gradcheck --model lstm --hidden 8 --projection 3 --json report.json
  hindsight gradcheck --model rnn-relu --steps 200 --batch 16 --hidden 128 --fast

Compares backpropagation with finite differences of the outputs and final states, in double, for
every parameter, the inputs and the initial states. The exit status is 0 if all agree, else 1.
docs/gradient-checking.md explains the numbers.)";

constexpr double kAbsolute = 0.01;  // of the relative tolerance, as in CheckOptions

struct GradcheckOptions {
  GradcheckModelOptions model;
  CheckOptions check;
  std::string json;
};

std::string tensor_line(const CheckedTensor& t, std::size_t name_width) {
  const bool directions = t.checked > 0 && t.worst.index == CheckedElement::kDirection;
  std::string line = fmt::format("{:<{}}  {:<12}  {:>6} {}{}", t.full_name(), name_width,
                                 directions ? "" : t.shape.to_string(), t.checked,
                                 directions ? "direction" : "element", t.checked == 1 ? "" : "s");
  if (!directions && t.checked < t.shape.elements())
    line += fmt::format(" of {}", t.shape.elements());
  if (t.checked > 0) line += fmt::format("  worst {:.2g} of the allowed error", t.worst.error);
  if (t.kinks > 0) line += fmt::format("  {} at kinks", t.kinks);
  if (t.unresolved > 0) line += fmt::format("  {} too small to be compared", t.unresolved);
  if (t.failed > 0) line += fmt::format("  {} WRONG", t.failed);
  return line;
}

void print_report(const CheckReport& report, Progress* progress) {
  std::size_t width = 0;
  for (const CheckedTensor& t : report.tensors) width = std::max(width, t.full_name().size());
  for (const CheckedTensor& t : report.tensors) progress->print(tensor_line(t, width));
  progress->print(report.to_string());
}

int run_gradcheck(const GradcheckOptions& o) {
  if (!o.json.empty()) nn::check_saving(o.json);
  const GradcheckModel model(o.model);
  const Interrupt interrupt;
  Progress progress;
  CheckOptions options = o.check;
  options.absolute = kAbsolute * options.relative;
  options.on_progress = [&](Size done, Size all) {
    if (progress.due())
      progress.show(fmt::format("{} of {} compared ({} %)", done, all, 100 * done / all));
    return !interrupt.came();
  };
  const CheckReport report = check_gradients([&] { return model(); }, model.parameters(), options);
  print_report(report, &progress);
  if (!o.json.empty()) LineFile(o.json, gradcheck_json(report));
  if (!report.complete) return Interrupt::kStatus;
  return report.passed ? 0 : 1;
}

}  // namespace

Command add_gradcheck(CLI::App& program) {
  CLI::App* app = program.add_subcommand(
      "gradcheck", "Compare the gradients of a recurrent network with finite differences");
  auto o = std::make_shared<GradcheckOptions>();
  nn::RecurrentOptions& network = o->model.network;
  const auto option = [app](const char* name, auto& value, const char* what,
                            const CLI::Validator& check, const char* type) {
    return app->add_option(name, value, what)->check(check)->type_name(type);
  };
  const auto count = [&](const char* name, Size& value, const char* what, std::int64_t low) {
    return option(name, value, what, whole_number(low, 100000), "N")->capture_default_str();
  };
  app->add_option("--model", o->model.model,
                  fmt::format("One of {}", fmt::join(recurrent_model_names(), ", ")))
      ->required()
      ->type_name("NAME");
  count("--steps", o->model.steps, "Time steps", 1);
  count("--batch", o->model.batch, "Sequences side by side", 1);
  count("--input", network.input, "Width of the input", 1);
  count("--hidden", network.hidden, "Units of each layer", 1);
  count("--layers", network.layers, "Layers", 1);
  app->add_flag("--bidirectional", network.bidirectional,
                "A second network reads each sequence from its end");
  option("--lengths", o->model.lengths, "Steps of each sequence, such as 5,3; all when left out",
         whole_number(1, 100000), "N,N,...")
      ->delimiter(',');
  count("--projection", o->model.projection, "Width of the LSTM's projected output, 0 for none", 0);
  add_seed(*app, o->model.seed);
  app->add_flag("--fast", o->check.fast, "Random directions instead of every element");
  count("--directions", o->check.directions, "Directions of --fast", 1);
  count("--elements", o->check.elements, "Elements of each tensor, spread evenly; 0 for all", 0);
  app->add_flag("--second-order", o->check.second_order, "Check second derivatives too");
  option("--tolerance", o->check.relative, "Allowed error, relative to a derivative's size",
         number_from(1e-15), "X")
      ->capture_default_str();
  app->add_option("--json", o->json, "File for the whole report")->type_name("FILE");
  app->footer(kExamples);
  return {app, [o] { return run_gradcheck(*o); }};
}

}  // namespace hindsight::tasks
