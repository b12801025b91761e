#include "mistakes.h"

#include <map>
#include <memory>

#include "operations.h"

namespace hindsight::random_programs {
namespace {

Tensor scaled(const Tensor& gradient, double factor) {
  return Variable(factor * Variable(gradient)).value();
}

/// Rows moved by one along the first axis.
Tensor shifted(const Tensor& gradient) {
  const Variable g(gradient);
  return pad(slice(g, 0, 0, g.size(0) - 1), 0, 1, 0).value();
}

bool anywhere(const Use&) { return true; }
bool is_broadcast(const Use& use) { return use.shape.elements() < use.output_elements; }
bool is_matrix(const Use& use) {
  const int rank = use.shape.rank();
  return rank >= 2 && use.shape[rank - 1] > 1 && use.shape[rank - 2] > 1;
}

}  // namespace

const std::vector<Mistake>& mistakes() {
  static const std::vector<Mistake> all{
      {"sign", anywhere,
       [](const Tensor& g, const Tensor&, const Tensor&) { return scaled(g, -1); }},
      {"factor 2", anywhere,
       [](const Tensor& g, const Tensor&, const Tensor&) { return scaled(g, 2); }},
      {"factor 1.0001", anywhere,
       [](const Tensor& g, const Tensor&, const Tensor&) { return scaled(g, 1.0001); }},
      {"missing term", anywhere,
       [](const Tensor& g, const Tensor& x, const Tensor&) {
         const Variable v(x);
         return Variable(Variable(g) / (1 + v * v)).value();
       }},
      {"missing gradient", [](const Use& use) { return use.step->inputs.size() > 1; },
       [](const Tensor& g, const Tensor&, const Tensor&) { return scaled(g, 0); }},
      {"transposed", is_matrix,
       [](const Tensor& g, const Tensor&, const Tensor&) {
         return reshape(transpose(Variable(g)), g.shape()).value();
       }},
      {"shifted in time", [](const Use& use) { return use.shape.rank() >= 1 && use.shape[0] > 1; },
       [](const Tensor& g, const Tensor&, const Tensor&) { return shifted(g); }},
      {"stale", anywhere,
       [](const Tensor& g, const Tensor& x, const Tensor& before) {
         return Variable(Variable(g) * (1 + Variable(before) - Variable(x))).value();
       }},
      {"only for broadcasting", is_broadcast,
       [](const Tensor& g, const Tensor&, const Tensor&) { return scaled(g, 0.5); }},
      {"only from rank 3 on", [](const Use& use) { return use.shape.rank() >= 3; },
       [](const Tensor& g, const Tensor&, const Tensor&) { return scaled(g, -1); }},
      {"only the second use", [](const Use& use) { return use.second; },
       [](const Tensor& g, const Tensor&, const Tensor&) { return scaled(g, 0); }, true},
  };
  return all;
}

namespace {

/// Where operations of a program read values that are differentiated.
std::vector<Use> uses_of(const Instance& instance) {
  std::vector<Use> uses;
  std::map<int, int> reads;
  std::map<std::pair<const Step*, std::size_t>, std::size_t> visits;
  RunOptions options;
  options.checkpoints = false;
  options.enter = [&](const Variable& value, const Step& step, std::size_t input) {
    const bool second = ++reads[step.inputs[input]] == 2;
    if (value.recorded() && value.shape().elements() > 0)
      uses.push_back({&step, input, value.shape(), 0, visits[{&step, input}]++, second});
    return value;
  };
  options.done = [&](const Step& step, const std::vector<Variable>& out) {
    for (Use& use : uses) {
      if (use.step == &step) use.output_elements = out.front().shape().elements();
    }
  };
  Execution execution(instance, options);
  const Tape tape;
  execution.loss(instance.inputs());
  return uses;
}

/// value, with a derivative that makes the mistake.
Variable mistaken(const Variable& value,
                  const std::function<Tensor(const Tensor&, const Tensor&)>& wrong) {
  return apply(
      Plant::kOperation, {value}, Save::inputs, value.shape(), value.dtype(),
      [](Inputs in, const Tensor& out) { copy(in[0], out); },
      [wrong](BackwardContext& ctx) {
        ctx.add(0, Variable(wrong(ctx.gradient.value(), ctx.input(0).value())));
      });
}

}  // namespace

Plant::Plant(const Instance& instance, std::uint64_t seed) {
  const std::vector<Use> uses = uses_of(instance);
  Rng rng(seed);
  struct Choice {
    const Mistake* mistake;
    std::vector<const Use*> uses;
  };
  std::vector<Choice> choices;
  for (const Mistake& mistake : mistakes()) {
    Choice choice{&mistake, {}};
    for (const Use& use : uses) {
      if (mistake.fits(use)) choice.uses.push_back(&use);
    }
    if (!choice.uses.empty()) choices.push_back(choice);
  }
  if (choices.empty()) return;
  const auto one_of = [&rng](const auto& list) {
    return list[static_cast<std::size_t>(rng.below(static_cast<Size>(list.size())))];
  };
  const Choice choice = one_of(choices);
  mistake_ = choice.mistake;
  use_ = *one_of(choice.uses);
}

RunOptions Plant::options() {
  RunOptions options;
  // How often the use has come in this run.
  const auto visit = std::make_shared<std::size_t>(0);
  options.enter = [this, visit](const Variable& value, const Step& step, std::size_t input) {
    const bool here = &step == use_.step && input == use_.input;
    if (!here || !value.recorded() || value.shape().elements() == 0) return value;
    const std::size_t index = (*visit)++;
    if (mistake_->once && index != use_.visit) return value;
    if (before_.size() <= index) before_.resize(index + 1);
    return mistaken(value, [this, index](const Tensor& gradient, const Tensor& x) {
      const Tensor last = std::exchange(before_[index], x.contiguous_copy());
      const bool same = last && last.shape() == x.shape();
      return mistake_->wrong(gradient, x, same ? last : before_[index]);
    });
  };
  return options;
}

}  // namespace hindsight::random_programs
