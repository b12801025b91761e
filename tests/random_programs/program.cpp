#include "program.h"

#include <algorithm>
#include <set>

#include "operations.h"

namespace hindsight::random_programs {
namespace {

using Ids = std::set<int>;

/// What steps and their results read that is given outside of them.
void find_free(const std::vector<Step>& steps, const std::vector<int>& results, Ids* free) {
  Ids given;
  const auto read = [&](const std::vector<int>& ids) {
    for (const int id : ids) {
      if (!given.count(id)) free->insert(id);
    }
  };
  for (const Step& step : steps) {
    read(step.inputs);
    read(step.captured);
    given.insert(step.outputs.begin(), step.outputs.end());
  }
  read(results);
}

void annotate(Step& step, Unread unread);

/// Says after each step which values are not read again, `live` being read after all of them.
void annotate(std::vector<Step>& steps, Ids live, Unread unread) {
  std::vector<Step> kept;
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    const bool read = std::any_of(step->outputs.begin(), step->outputs.end(),
                                  [&](int id) { return live.count(id) > 0; });
    if (!read && unread == Unread::drop) continue;
    annotate(*step, unread);
    Ids seen(step->inputs.begin(), step->inputs.end());
    seen.insert(step->captured.begin(), step->captured.end());
    seen.insert(step->outputs.begin(), step->outputs.end());
    step->dead.clear();
    for (const int id : seen) {
      if (live.insert(id).second) step->dead.push_back(id);
    }
    kept.push_back(std::move(*step));
  }
  std::reverse(kept.begin(), kept.end());
  steps = std::move(kept);
}

void annotate(Step& step, Unread unread) {
  step.captured.clear();
  if (step.body.empty() && step.results.empty()) return;
  const bool checkpoint = step.kind == Step::Kind::checkpoint;
  annotate(step.body, Ids(step.results.begin(), step.results.end()), unread);
  Ids free;
  find_free(step.body, step.results, &free);
  for (const int id : checkpoint ? step.inputs : step.bound) free.erase(id);
  step.captured.assign(free.begin(), free.end());
}

}  // namespace

void prepare(Program& program, Unread unread) {
  Ids live;
  for (const Output& output : program.outputs) live.insert(output.id);
  annotate(program.steps, live, unread);
}

void prepare(Step& step) { annotate(step, Unread::keep); }

bool changes_gradients(const Program& program) {
  bool result = false;
  for_each_step(program.steps, [&](const Step& step) {
    result = result || (step.operation && step.operation->changes_gradient);
  });
  return result;
}

}  // namespace hindsight::random_programs
