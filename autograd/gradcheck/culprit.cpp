#include <hindsight/autograd/gradcheck/checked_function.h>
#include <hindsight/autograd/gradcheck/culprit.h>
#include <hindsight/autograd/gradcheck/finite_difference.h>
#include <hindsight/autograd/gradcheck/isolated_operation.h>
#include <hindsight/autograd/tape/parameter_use.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

/// Finds the operation to blame for a wrong derivative: each is rerun with one of its inputs
/// perturbed, and the change of its output is compared with its own backward.
namespace hindsight::detail {
namespace {

// All elements of an input are perturbed together. If no operation is found that way, they are
// perturbed in groups, as rounding may hide a small wrong gradient among large ones.
constexpr Size kMostGroups = 1024, kMostOfAllInputs = 100000;
constexpr int kMostSlopes = 4096;    // of an input, while wrong groups are halved
constexpr double kSameValue = 1e-9;  // a recomputed value may differ in its last digits

/// Checks the gradient of one input of an operation.
class InputCheck {
 public:
  /// `gradient` is compared with differences of `value`.
  InputCheck(const Operand& input, const Tensor& gradient, std::function<SizedValue()> value,
             const CheckOptions& options)
      : input_(input),
        gradient_(gradient),
        value_(std::move(value)),
        options_(options),
        rng_(1),
        direction_({input_.original()}, Direction::Scale::step, rng_),
        here_(value_()),
        rounding_(
            options.absolute * options.step, here_.size,
            [this, along = Direction({input_.original()}, Direction::Scale::proportional, rng_)](
                double t) { return moved(along, 0, input_.elements(), t); }) {}

  /// The worst wrong element that is found when the elements are perturbed in so many groups.
  std::optional<CheckedElement> worst(Size groups) {
    const Size count = input_.elements();
    groups = std::min(groups, count);
    for (Size k = 0; k < groups; ++k) search(k * count / groups, (k + 1) * count / groups);
    return worst_;
  }

 private:
  double moved(const Direction& direction, Size begin, Size end, double t) {
    const Tensor &from = input_.original(), &along = direction.along[0];
    for (Size i = begin; i < end; ++i) input_.set(i, from.at(i) + t * along.at(i));
    const double result = value_().value;
    for (Size i = begin; i < end; ++i) input_.set(i, from.at(i));
    return result;
  }

  /// Halves wrong groups down to elements. A group also fails when some of its elements are at
  /// kinks; these pass alone.
  void search(Size begin, Size end) {
    if (slopes_++ >= kMostSlopes) return;
    if (end - begin == 1) return compare_element(begin);
    double analytic = 0;
    for (Size i = begin; i < end; ++i) analytic += gradient_.at(i) * direction_.along[0].at(i);
    const auto value = [&](double t) { return moved(direction_, begin, end, t); };
    const Probe line(1, here_.value, value, options_, &rounding_);
    if (compare_slope(line, analytic).passed()) return;
    const Size middle = (begin + end) / 2;
    search(begin, middle);
    search(middle, end);
  }

  void compare_element(Size index) {
    const double x = input_.original().at(index);
    const auto value = [&](double t) {
      input_.set(index, x + t);
      const double result = value_().value;
      input_.set(index, x);
      return result;
    };
    const Probe line(x, here_.value, value, options_, &rounding_);
    CheckedElement e = compare_slope(line, gradient_.at(index));
    e.index = index;
    if (e.kind == CheckedElement::Kind::jump || e.kind == CheckedElement::Kind::not_finite)
      return;  // there is no derivative that could be wrong
    if (!e.passed() && (!worst_ || !(e.error <= worst_->error))) worst_ = e;
  }

  PerturbedInput input_;
  const Tensor& gradient_;
  std::function<SizedValue()> value_;
  const CheckOptions& options_;
  Rng rng_;
  Direction direction_;
  SizedValue here_;
  Rounding rounding_;
  std::optional<CheckedElement> worst_;
  int slopes_ = 0;
};

/// One operation, checked in isolation.
class LocalCheck {
 public:
  LocalCheck(Operation& op, const CheckOptions& options) : op_(op), options_(options) {
    Rng rng(1);
    weights_ = random_normal(op.output().shape(), rng);
  }

  /// True if rerunning changes the value (which the output keeps).
  bool value_differs() {
    const Tensor before = output().contiguous_copy();
    op_.run_from_inputs();
    const Tensor after = output();
    double difference = 0, magnitude = 0;
    for (Size i = 0; i < before.elements(); ++i) {
      difference = std::max(difference, std::abs(before.at(i) - after.at(i)));
      magnitude = std::max(magnitude, std::abs(after.at(i)));
    }
    return difference > kSameValue * magnitude;
  }

  /// The worst wrong element of an input whose backward is wrong.
  std::optional<CheckedElement> wrong_input(int input, Size groups) {
    if (gradients_.empty()) gradients_ = backward_alone(op_, weights_);
    const std::optional<CheckedElement> worst =
        InputCheck(
            op_.inputs().first[input], gradients_[static_cast<std::size_t>(input)],
            [this] { return value(); }, options_)
            .worst(groups);
    op_.run_from_inputs();  // with the input restored
    return worst;
  }

 private:
  Tensor output() const { return op_.output().variable().value(); }
  SizedValue value() {
    op_.run_from_inputs();
    const Tensor out = output();
    const double total = inner_product(weights_, out);
    return {total, std::max(std::abs(total), product_norm(weights_, out))};
  }

  Operation& op_;
  const CheckOptions& options_;
  Tensor weights_;
  std::vector<Tensor> gradients_;
};

std::string input_name(const Operand& input, int number) {
  const Parameter* parameter = parameter_of(input);
  return parameter ? parameter->name() : fmt::format("input {}", number);
}

Culprit blame(const Operation& op, Culprit::Kind kind) {
  Culprit culprit;
  culprit.kind = kind;
  culprit.operation = op.name();
  culprit.place = op.place().to_string();
  culprit.time_step = op.place().time_step();
  return culprit;
}

/// Finds constants that hold a recorded value, in its memory or in a copy: they were detached from
/// it, so no gradient reaches it.
class DetachedValues {
 public:
  void know(const Node* node, const Tensor& value, const std::string& name) {
    by_memory_.emplace(node->value.data<char>(), name);
    if (varied(value)) by_content_.emplace(content(value), name);
  }
  std::optional<Culprit> among_inputs(const Operation& op) const {
    const auto [inputs, count] = op.inputs();
    for (int i = 0; i < count; ++i) {
      if (inputs[i].recorded() || !inputs[i].node() || !inputs[i].node()->value) continue;
      const std::string* name = name_of(inputs[i]);
      if (!name) continue;
      Culprit culprit = blame(op, Culprit::Kind::constant);
      culprit.input = *name;
      culprit.shape = inputs[i].shape();
      return culprit;
    }
    return {};
  }

 private:
  // A recomputed value is in other memory than the constants that were detached from it.
  const std::string* name_of(const Operand& input) const {
    const auto memory = by_memory_.find(input.node()->value.data<char>());
    if (memory != by_memory_.end()) return &memory->second;
    const Tensor value = input.variable().value();
    const auto same = varied(value) ? by_content_.find(content(value)) : by_content_.end();
    return same == by_content_.end() ? nullptr : &same->second;
  }
  // Constant tensors, such as zeros, are equal by chance.
  static bool varied(const Tensor& value) {
    return value.elements() > 1 && value.at(0) != value.at(value.elements() - 1);
  }
  static std::string content(const Tensor& value) {
    const Tensor dense = value.dense();
    return {reinterpret_cast<const char*>(dense.bytes()),
            static_cast<std::size_t>(dense.elements() * bytes_of(dense.dtype()))};
  }

  std::unordered_map<const char*, std::string> by_memory_;
  std::unordered_map<std::string, std::string> by_content_;
};

bool depends_on(const std::unordered_set<const Node*>& reached, const Operation& op) {
  const auto [inputs, count] = op.inputs();
  for (int i = 0; i < count; ++i) {
    if (inputs[i].recorded() && reached.count(inputs[i].node()) > 0) return true;
  }
  return false;
}

std::string result_of(const Operation& op) {
  const std::string place = op.place().to_string();
  return fmt::format("the result of {}{}", op.name(), place.empty() ? "" : " (" + place + ")");
}

/// Checks the operations that depend on the leaves, each in isolation, in the order they ran.
class Search {
 public:
  Search(const std::vector<Variable>& leaves, const Operation* forward_end,
         const CheckOptions& options)
      : forward_end_(forward_end), options_(options) {
    for (std::size_t i = 0; i < leaves.size(); ++i) {
      const ParameterUse* use = leaves[i].node()->use;
      cut_offs_.know(leaves[i].node(), leaves[i].value(),
                     use ? use->parameter.name() : fmt::format("input {}", i));
      reached_.insert(leaves[i].node());
    }
  }

  CulpritSearch run(const Tape& tape) {
    std::optional<Culprit> culprit = pass(tape.oldest(), 1);
    if (!culprit) culprit = cut_off_;
    if (!culprit && inputs_ > 0) {
      const Size groups = std::clamp(kMostOfAllInputs / inputs_, Size{1}, kMostGroups);
      result_ = {};
      culprit = pass(tape.oldest(), groups);
    }
    result_.culprit = culprit;
    return result_;
  }

 private:
  std::optional<Culprit> pass(const Operation* oldest, Size groups) {
    bool in_sweep = false;
    for (const Operation* op = oldest; op; op = op->next()) {
      if (!cut_off_) {
        cut_off_ = cut_offs_.among_inputs(*op);
        if (cut_off_) cut_off_->in_sweep = in_sweep;
      }
      if (depends_on(reached_, *op)) {
        reached_.insert(op->output().node());
        cut_offs_.know(op->output().node(), op->output().variable().value(), result_of(*op));
        // The tape's operations are read-only; the check reruns this one and restores it.
        std::optional<Culprit> culprit = check_alone(const_cast<Operation&>(*op), groups);
        if (culprit) culprit->in_sweep = in_sweep;
        if (culprit) return culprit;
        ++result_.operations;
      }
      in_sweep = in_sweep || op == forward_end_;
    }
    return {};
  }

  std::optional<Culprit> check_alone(Operation& op, Size groups) {
    LocalCheck check(op, options_);
    if (check.value_differs()) return blame(op, Culprit::Kind::value);
    const auto [inputs, count] = op.inputs();
    for (int i = 0; i < count; ++i) {
      if (!inputs[i].recorded() || reached_.count(inputs[i].node()) == 0) continue;
      const Size elements = inputs[i].shape().elements();
      ++inputs_;
      result_.together = std::max(result_.together, (elements + groups - 1) / groups);
      const std::optional<CheckedElement> wrong = check.wrong_input(i, groups);
      if (!wrong) continue;
      Culprit culprit = blame(op, Culprit::Kind::backward);
      culprit.input = input_name(inputs[i], i);
      culprit.shape = inputs[i].shape();
      culprit.element = *wrong;
      return culprit;
    }
    return {};
  }

  const Operation* forward_end_;
  const CheckOptions& options_;
  DetachedValues cut_offs_;
  std::unordered_set<const Node*> reached_;  // nodes that depend on the leaves
  std::optional<Culprit> cut_off_;
  CulpritSearch result_;
  Size inputs_ = 0;
};

}  // namespace

CulpritSearch find_culprit(const Tape& tape, const std::vector<Variable>& leaves,
                           const Operation* forward_end, const CheckOptions& options) {
  const Tape::Pause pause;
  return Search(leaves, forward_end, options).run(tape);
}

}  // namespace hindsight::detail
